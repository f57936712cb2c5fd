/*
 * Responses: proven by our Via, sent by the next one, and what is learned on the way. RFC
 * 3261 16.7, 16.11, 18.1.2, 18.2.2; RFC 3581 4.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_response, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define EG "198.51.100.1:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

static struct bench *invited(const struct bench_opts *o, char msg[BENCH_MSG], unsigned int status)
{
	struct bench *b = bench_new(o);

	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
	cr_assert(b->v.action == STEER_FORWARD);
	bench_reply_text(b, msg, status, "", "");
	return b;
}

static void replace(char *msg, const char *from, const char *to)
{
	static char rest[BENCH_MSG];
	char *at = strstr(msg, from);

	cr_assert(at, "%s in\n%s", from, msg);
	strcpy(rest, at + strlen(from));
	strcpy(at, to);
	strcat(at, rest);
}

static void from_a(struct bench *b, const char *msg)
{
	bench_bytes(b, MA, LB, msg, strlen(msg));
}

Test(steer_response, every_status_passes_rfc3261_16_11)
{
	static const unsigned int status[] = { 100, 180, 183, 199, 200, 202, 302,
					       401, 407, 486, 500, 503, 603, 699 };

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		char msg[BENCH_MSG];
		struct bench *b = invited(NULL, msg, status[i]);

		from_a(b, msg);
		cr_expect(bench_forwarded(b, LB, A), "%u", status[i]);
		bench_has(b, "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-1"
			     ";received=203.0.113.5;rport=5060");
		bench_lacks(b, "Via: SIP/2.0/UDP 192.0.2.10{*}");
		/* And again: responses are retransmitted. */
		from_a(b, msg);
		bench_forwarded(b, LB, A);
		bench_free(b);
	}
}

/* ---- Not ours ---- */

Test(steer_response, a_forged_branch_is_dropped_rfc3261_16_7_item_3)
{
	char msg[BENCH_MSG];
	struct bench *b = invited(NULL, msg, 200);
	char *branch = strstr(msg, "z9hG4bKss");

	for (int i = 0; i < STEER_BRANCH_LEN; i++) {
		char was = branch[i];
		bool owner =
			i >= 35 && i < 37; /* not covered by the tag: it only finds the worker */

		branch[i] = was == '0' ? '1' : '0';
		from_a(b, msg);
		if (owner)
			cr_expect(b->v.action == STEER_FORWARD
				  || b->v.reason == DP_REASON_RESP_VIA_FOREIGN);
		else
			cr_expect(b->v.action == STEER_DROP
					  && (b->v.reason == DP_REASON_RESP_VIA_FORGED
					      || b->v.reason == DP_REASON_RESP_VIA_FOREIGN),
				  "byte %d", i);
		branch[i] = was;
	}
	from_a(b, msg);
	bench_forwarded(b, LB, A);
	bench_free(b);
}

Test(steer_response, not_ours_rfc3261_16_7_item_3)
{
	static const struct {
		const char *what, *from, *to;
		enum dp_reason reason;
	} rows[] = {
		{ "another host", "Via: SIP/2.0/UDP 192.0.2.10:5060",
		  "Via: SIP/2.0/UDP 192.0.2.11:5060", DP_REASON_RESP_VIA_FOREIGN },
		{ "another port", "Via: SIP/2.0/UDP 192.0.2.10:5060",
		  "Via: SIP/2.0/UDP 192.0.2.10:5061", DP_REASON_RESP_VIA_FOREIGN },
		{ "an address that ours begins with", "Via: SIP/2.0/UDP 192.0.2.10:5060",
		  "Via: SIP/2.0/UDP 192.0.2.1:5060", DP_REASON_RESP_VIA_FOREIGN },
		{ "a port that begins like ours", "Via: SIP/2.0/UDP 192.0.2.10:5060",
		  "Via: SIP/2.0/UDP 192.0.2.10:50600", DP_REASON_RESP_VIA_FOREIGN },
		{ "a name", "Via: SIP/2.0/UDP 192.0.2.10:5060", "Via: SIP/2.0/UDP lb.example.com",
		  DP_REASON_RESP_VIA_FOREIGN },
		{ "another branch", "branch=z9hG4bKss", "branch=z9hG4bKxx",
		  DP_REASON_RESP_VIA_FOREIGN },
		{ "no branch", ";branch=z9hG4bKss", ";x=", DP_REASON_RESP_VIA_FOREIGN },
		{ "another client's transaction", "branch=z9hG4bK-1", "branch=z9hG4bK-2",
		  DP_REASON_RESP_VIA_FORGED },
		{ "another client's sent-by", "203.0.113.5:5060;branch", "203.0.113.6:5060;branch",
		  DP_REASON_RESP_VIA_FORGED },
		{ "no Via below ours",
		  "Via: SIP/2.0/UDP "
		  "203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport=5060\r\n",
		  "", DP_REASON_RESP_NO_NEXT_VIA },
		{ "a malformed Via below ours", "SIP/2.0/UDP 203.0.113.5:5060",
		  "SIP/2.0 203.0.113.5", DP_REASON_SIP_MALFORMED },
		{ "malformed (RFC 4475 3.1.2.5)", "CSeq: 1 INVITE",
		  "CSeq: 36893488147419103232 INVITE", DP_REASON_SIP_MALFORMED },
		{ "sent on to a name", "received=203.0.113.5", "received=phone.example.com",
		  DP_REASON_RESP_UNROUTABLE },
		{ "sent on to a broadcast address (RFC 4475 3.3.10)", "received=203.0.113.5",
		  "received=255.255.255.255", DP_REASON_RESP_UNROUTABLE },
		{ "sent on to a multicast address", "received=203.0.113.5", "received=224.0.1.75",
		  DP_REASON_RESP_UNROUTABLE },
		{ "sent on to ourselves", "received=203.0.113.5", "received=192.0.2.10",
		  DP_REASON_RESP_UNROUTABLE },
		{ "to port 65536", "rport=5060", "rport=70596", DP_REASON_RESP_UNROUTABLE },
		{ "to port x", "rport=5060", "rport=x", DP_REASON_RESP_UNROUTABLE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char msg[BENCH_MSG];
		struct bench *b = invited(NULL, msg, 200);

		replace(msg, rows[i].from, rows[i].to);
		from_a(b, msg);
		cr_expect(bench_dropped_at(__FILE__, __LINE__, b, rows[i].reason), "%s",
			  rows[i].what);
		cr_expect(b->counters.sip_responses == 1);
		bench_free(b);
	}
}

/* A server may write our Via as it likes. */
Test(steer_response, our_own_via_in_other_forms_rfc3261_20_42)
{
	static const char *const forms[] = { "192.0.2.10:5060", "192.0.2.10", "192.0.2.10 : 5060 ",
					     "192.0.2.10:05060" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char msg[BENCH_MSG];
		struct bench *b = invited(NULL, msg, 200);

		replace(msg, "192.0.2.10:5060", forms[i]);
		from_a(b, msg);
		cr_expect(bench_forwarded(b, LB, A), "%s", forms[i]);
		bench_free(b);
	}
}

/* The response to a client of RFC 2543 carries what its transaction was named by. */
Test(steer_response, rfc2543_clients_rfc3261_16_11)
{
	static const char *const other[][2] = { { "tag=f1", "tag=f2" },
						{ "Call-ID: call-1", "Call-ID: call-2" },
						{ "CSeq: 1 ", "CSeq: 2 " } };
	struct bench *b = bench_new(NULL);
	char msg[BENCH_MSG], forged[BENCH_MSG];

	bench_send(b, A, LB,
		   "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5:5060");
	bench_reply_text(b, msg, 200, "", "");
	from_a(b, msg);
	bench_forwarded(b, LB, A);
	for (size_t i = 0; i < 3; i++) {
		strcpy(forged, msg);
		replace(forged, other[i][0], other[i][1]);
		from_a(b, forged);
		bench_dropped(b, RESP_VIA_FORGED);
	}
	bench_free(b);
}

Test(steer_response, older_keys_are_accepted)
{
	char msg[BENCH_MSG];
	struct bench *b = invited(NULL, msg, 200);

	b->secrets.key[1] = b->secrets.key[0];
	memset(b->secrets.key[0].b, 0x11, 16);
	b->secrets.n = 2;
	bench_reload(b);
	from_a(b, msg);
	bench_forwarded(b, LB, A);
	b->secrets.n = 1;
	bench_reload(b);
	from_a(b, msg);
	bench_dropped(b, RESP_VIA_FORGED);
	bench_free(b);
}

/* Any instance with the keys, and any worker, can carry a response. */
Test(steer_response, no_record_is_needed)
{
	char msg[BENCH_MSG];
	struct bench_opts none = { .no_records = true };
	struct bench *b = invited(NULL, msg, 200), *other = bench_new(&none);

	from_a(other, msg);
	bench_forwarded(other, LB, A);
	bench_free(b);
	bench_free(other);
}

/* ---- Where to: RFC 3261 18.2.2, RFC 3581 4 ---- */

Test(steer_response, where_to_rfc3261_18_2_2_rfc3581_4)
{
	static const char next[] =
		"203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport=5060";
	static const struct {
		const char *via;
		const char *to; /* NULL: nowhere */
	} rows[] = {
		{ "203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport=31000",
		  "203.0.113.5:31000" },
		{ "203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport", A },
		{ "203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.9", "203.0.113.9:5060" },
		{ "203.0.113.5:5060;branch=z9hG4bK-1;rport=9", A },
		{ "203.0.113.5:5060;branch=z9hG4bK-1", A },
		{ "203.0.113.5:5060;branch=z9hG4bK-1;maddr=203.0.113.99", A },
		{ "203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.9;maddr=224.2.0.1",
		  "203.0.113.9:5060" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char msg[BENCH_MSG];
		struct bench *b = invited(NULL, msg, 200);

		replace(msg, next, rows[i].via);
		from_a(b, msg);
		cr_expect(bench_forwarded(b, LB, rows[i].to), "%s", rows[i].via);
		bench_free(b);
	}
}

Test(steer_response, maddr_of_a_client_is_followed_when_enabled_rfc3261_18_2_2)
{
	struct bench_opts o = { .trust_maddr = true };

	for (int trust = 0; trust < 2; trust++) {
		struct bench *b = bench_new(trust ? &o : NULL);

		bench_send(b, A, LB,
			   "MESSAGE sip:bob@example.com SIP/2.0\n"
			   "Via: SIP/2.0/UDP 203.0.113.5;maddr=203.0.113.99;branch=z9hG4bK-1");
		bench_forwarded(b, LB, MA);
		bench_reply(b, 200, "", "");
		bench_forwarded(b, LB, trust ? "203.0.113.99:5060" : A);
		bench_send(b, A, LB,
			   "MESSAGE sip:bob@example.com SIP/2.0\nMax-Forwards: 0\n"
			   "Via: SIP/2.0/UDP 203.0.113.5;maddr=203.0.113.99;branch=z9hG4bK-1");
		bench_answered(b, 483);
		cr_expect_str_eq(bench_endpoint_text(&b->v.to), trust ? "203.0.113.99:5060" : A);
		bench_free(b);
	}
}

/* It leaves from the address and port that its request came to: the client's NAT knows no other. */
Test(steer_response, leaves_from_the_listener_of_its_request_rfc3581_4)
{
	struct bench_opts o = { .second_listener = true, .two_armed = true };
	static const char *const at[] = { LB, "192.0.2.10:5070" };

	for (size_t i = 0; i < 2; i++) {
		struct bench *b = bench_new(&o);

		bench_send(b, A, at[i], "INVITE sip:bob@example.com SIP/2.0");
		bench_forwarded(b, EG, MA);
		bench_reply(b, 200, "", "");
		bench_forwarded(b, at[i], A);
		bench_free(b);
	}
}

Test(steer_response, the_listener_of_its_request_is_gone)
{
	struct bench_opts o = { .second_listener = true, .two_armed = true };
	struct bench *b = bench_new(&o);
	char msg[BENCH_MSG];

	bench_send(b, A, "192.0.2.10:5070", "INVITE sip:bob@example.com SIP/2.0");
	bench_reply_text(b, msg, 200, "", "");
	b->opts.second_listener = false;
	bench_reload(b);
	bench_bytes(b, MA, EG, msg, strlen(msg));
	bench_forwarded(b, LB, A);
	bench_free(b);
}

/* ---- To members ---- */

static struct bench *called(const char *src, const char *via, char msg[BENCH_MSG])
{
	struct bench_opts o = { .prefix = true };
	struct bench *b = bench_new(&o);
	char text[512];

	snprintf(text, sizeof(text), "INVITE sip:alice@" A " SIP/2.0\n%s", via);
	bench_send(b, src, LB, text);
	bench_forwarded(b, LB, A);
	bench_reply_text(b, msg, 200, "", "");
	return b;
}

Test(steer_response, to_a_member_that_is_down_goes_to_its_twin)
{
	char msg[BENCH_MSG];
	struct bench *b = called(MA, "", msg);

	bench_active(b, "east-b");
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_forwarded(b, LB, MA);
	bench_down(b, "east-a", true);
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_forwarded(b, LB, MB);
	bench_has(b, "Via: SIP/2.0/UDP 198.51.100.11:5060;branch=z9hG4bK-1"
		     ";received=198.51.100.11");
	cr_expect(b->v.member == bench_member(b, "east-b"));
	bench_free(b);
}

Test(steer_response, to_a_member_with_and_without_rport_rfc3581_4)
{
	char msg[BENCH_MSG];
	struct bench *b;

	b = called("198.51.100.11:40000", "Via: SIP/2.0/UDP 198.51.100.11;branch=z9hG4bK-1", msg);
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_forwarded(b, LB, MA);
	bench_free(b);
	b = called("198.51.100.11:40000", "Via: SIP/2.0/UDP 198.51.100.11;rport;branch=z9hG4bK-1",
		   msg);
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_forwarded(b, LB, "198.51.100.11:40000");
	bench_free(b);
	b = called("198.51.100.200:5060", "Via: SIP/2.0/UDP x.example.com;branch=z9hG4bK-1", msg);
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_forwarded(b, LB, "198.51.100.200:5060");
	bench_free(b);
}

/* A phone that was called knows a good branch of ours; it may not send by it where it likes. */
Test(steer_response, a_callee_cannot_reflect_off_us)
{
	char msg[BENCH_MSG];
	struct bench *b = called(MA, "", msg);

	replace(msg, "received=198.51.100.11", "received=203.0.113.66");
	bench_bytes(b, A, LB, msg, strlen(msg));
	bench_dropped(b, RESP_UNROUTABLE);
	bench_free(b);
}

/* It knows the Vias below too, of a call that crossed us twice: what it sends in a member's place
 * only reaches the caller on record. */
Test(steer_response, a_callee_cannot_use_the_callers_branch)
{
	char msg[BENCH_MSG];
	struct bench *b = invited(NULL, msg, 200);
	struct bench_opts none = { .no_records = true };
	struct bench *other = bench_new(&none);

	bench_bytes(b, "203.0.113.7:5060", LB, msg, strlen(msg));
	bench_forwarded(b, LB, A); /* a server of several addresses does that too */
	replace(msg, "received=203.0.113.5", "received=203.0.113.66");
	bench_bytes(b, "203.0.113.7:5060", LB, msg, strlen(msg));
	bench_dropped(b, RESP_SOURCE);
	bench_bytes(other, "203.0.113.7:5060", LB, msg, strlen(msg));
	bench_dropped(other, RESP_SOURCE);
	bench_free(b);
	bench_free(other);
}
