/*
 * What the cookie in our own Route value says, and what it allows: it chooses the member of a
 * dialog and lets a client out of it; a forged or copied one does nothing. RFC 3261 12, 16.4.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_cookie, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define B  "203.0.113.7:5062"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

/* ---- Which member: the cookie ---- */

static struct bench *call(const struct bench_opts *o, struct bench_dialog *caller)
{
	struct bench *b = bench_new(o);

	/* A member behind a name: only the cookie can tell. */
	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@" A ">");
	bench_forwarded(b, LB, MA);
	bench_reply(b, 200, "sip:bob@server.example.com", "");
	bench_dialog_caller(b, caller);
	return b;
}

Test(steer_cookie, in_dialog_member_keeps_its_dialogs)
{
	struct bench_dialog d;
	struct bench *b = call(NULL, &d);

	bench_active(b, "east-b"); /* an operator's switch: the member lives */
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MA);
	bench_drain(b, "east-a", true);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MA);
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MA);
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, false);
	bench_down(b, "east-a", true);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MB);
	bench_has(b, "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch={branch east-b}");
	bench_free(b);
}

Test(steer_cookie, in_dialog_active_follows_the_active_member)
{
	struct bench_opts o = { .in_dialog_active = true };
	struct bench_dialog d;
	struct bench *b = call(&o, &d);

	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MA);
	bench_active(b, "east-b");
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MB);
	snprintf(d.target, sizeof(d.target), "sip:bob@" MA);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

/* The member in the cookie of a call, under what is done to the cookie. */
Test(steer_cookie, a_forged_cookie_is_ignored_and_no_error)
{
	struct bench_dialog d, e;
	struct bench *b = call(NULL, &d);
	char *ss = strstr(d.route[0], ";ss=") + 4;

	bench_active(b, "east-b");
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	/* Each digit changed; and cut short, and no cookie at all. */
	for (int i = 0; i < STEER_COOKIE_LEN; i++) {
		char was = ss[i];

		ss[i] = was == '0' ? '1' : '0';
		bench_dialog_send(b, &d, "BYE", "");
		cr_expect(bench_forwarded(b, LB, MB), "digit %d", i);
		ss[i] = was;
	}
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	e = d;
	snprintf(e.route[0], sizeof(e.route[0]), "<sip:192.0.2.10:5060;lr;ss=00>");
	bench_dialog_send(b, &e, "BYE", "");
	bench_forwarded(b, LB, MB);
	snprintf(e.route[0], sizeof(e.route[0]), "<sip:192.0.2.10:5060;lr>");
	bench_dialog_send(b, &e, "BYE", "");
	bench_forwarded(b, LB, MB);
	/* Copied into another call. */
	snprintf(d.call_id, sizeof(d.call_id), "another");
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

/* As we write it, a line is taken as it stands; in any other form it is read by the grammar. */
Test(steer_cookie, a_route_value_of_ours_in_all_its_forms)
{
	static const char *const forms[] = {
		"<sip:192.0.2.10:5060;lr;ss=%.42s>",
		"\"us\" <sip:192.0.2.10:5060;lr;ss=%.42s>",
		"<sip:192.0.2.10:5060;ss=%.42s;lr>",
		"<sip:192.0.2.10:5060;lr;ss=%.42s>;x=y",
		"<sip:192.0.2.10;lr;ss=%.42s>",
		"<SIP:192.0.2.10:5060;LR;SS=%.42s>",
		"<sip:192.0.2.10:5060;lr;ss=%.42s>, <sip:192.0.2.10:5060;lr>",
	};
	struct bench_dialog d, e;
	struct bench *b = call(NULL, &d);
	const char *ss = strstr(d.route[0], ";ss=") + 4;

	bench_active(b, "east-b");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		for (unsigned int n = 1; n <= 3; n++) {
			e = d;
			e.cseq += (unsigned int)i * 10 + n * 2;
			e.n_routes = n;
			for (unsigned int k = 0; k < n; k++)
				snprintf(e.route[k], sizeof(e.route[k]), forms[k ? 0 : i], ss);
			bench_dialog_send(b, &e, "BYE", "");
			cr_expect(bench_forwarded(b, LB, MA) && bench_lacks(b, "Route: {*}"),
				  "form %zu, %u lines", i, n);
		}
	bench_free(b);
}

Test(steer_cookie, older_keys_are_accepted_unknown_ones_not)
{
	struct bench_dialog d;
	struct bench *b = call(NULL, &d);

	bench_active(b, "east-b");
	b->secrets.key[1] = b->secrets.key[0];
	memset(b->secrets.key[0].b, 0x11, 16);
	b->secrets.n = 2;
	bench_reload(b);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MA);
	b->secrets.n = 1;
	bench_reload(b);
	bench_dialog_send(b, &d, "INFO", "");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

/* The same keys make an instance read another's cookies, at its own address. */
Test(steer_cookie, another_instance_reads_the_cookie)
{
	struct bench_dialog d;
	struct bench *b = call(NULL, &d), *other = bench_new(NULL);

	bench_active(other, "east-b");
	bench_dialog_send(other, &d, "BYE", "");
	bench_forwarded(other, LB, MA);
	bench_free(b);
	bench_free(other);
}

/* A member that has left the configuration: the active one of its pair. */
Test(steer_cookie, a_cookie_of_a_member_that_is_gone)
{
	struct bench_opts o = { .fallback = true };
	struct bench *b = bench_new(&o);
	struct bench_dialog d;

	bench_active(b, "east-c");
	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
	bench_forwarded(b, LB, "198.51.100.13:5060");
	bench_reply(b, 200, "sip:bob@server.example.com", "");
	bench_dialog_caller(b, &d);
	b->opts.fallback = false;
	bench_active(b, "east-b");
	bench_reload(b);
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

/* RFC 3261 12.1.1, 12.2.1.1: a peer of RFC 2543 has no tag; our cookie tells the dialog. */
Test(steer_cookie, a_dialog_without_to_tag_rfc3261_12_2_1_1)
{
	struct bench_dialog d;
	struct bench *b = call(NULL, &d);

	snprintf(d.remote, sizeof(d.remote), "<sip:bob@example.com>");
	bench_active(b, "east-b");
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* The pair in the cookie, whatever `select` would say now. */
Test(steer_cookie, the_cookie_names_the_pair_too)
{
	struct bench_opts o = { .n_pairs = 4, .select = DP_SELECT_CALL_ID, .no_records = true };
	struct bench *b = bench_new(&o);
	unsigned int moved = 0;

	for (int i = 0; i < 32; i++) {
		struct bench_dialog d;
		char text[256], to[64];

		snprintf(text, sizeof(text), "INVITE sip:bob@example.com SIP/2.0\nCall-ID: c%d", i);
		bench_send(b, A, LB, text);
		snprintf(to, sizeof(to), "%s", bench_endpoint_text(&b->v.to));
		bench_reply(b, 200, "sip:bob@server.example.com", "");
		bench_dialog_caller(b, &d);
		b->opts.select = DP_SELECT_SOURCE_ADDRESS;
		bench_reload(b);
		bench_dialog_send(b, &d, "BYE", "");
		cr_expect(bench_forwarded(b, LB, to));
		bench_send(b, A, LB, text);
		b->opts.select = DP_SELECT_CALL_ID;
		bench_reload(b);
		bench_send(b, "203.0.113.99:5060", LB, "MESSAGE sip:x@y SIP/2.0");
		moved += strcmp(to, bench_endpoint_text(&b->v.to)) != 0;
	}
	cr_expect(moved > 0, "the calls are spread over the pairs");
	bench_free(b);
}

/* ---- What a cookie allows ---- */

Test(steer_cookie, only_a_valid_outward_cookie_lets_a_client_out)
{
	struct bench *b = bench_new(NULL);
	struct bench_dialog d, e;

	/* A member that does not stay in the path calls bob for somebody at 203.0.113.80. */
	bench_send(b, MA, LB,
		   "INVITE sip:bob@" B " SIP/2.0\nContact: <sip:carol@203.0.113.80>\n"
		   "Record-Route: <sip:203.0.113.81;lr>");
	bench_forwarded(b, LB, B);
	bench_dialog_callee(b, &d);
	cr_expect(d.n_routes == 2);
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, "203.0.113.81:5060");
	bench_has(b, "Route: <sip:203.0.113.81;lr>");
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, B);
	e = d;
	e.n_routes = 1;
	bench_dialog_send(b, &e, "BYE", "");
	bench_forwarded(b, LB, "203.0.113.80:5060");
	/* In another call it opens nothing. */
	snprintf(d.call_id, sizeof(d.call_id), "another");
	bench_dialog_send(b, &d, "BYE", "");
	bench_answered(b, 403);
	cr_expect(b->counters.reason[DP_REASON_REQ_RELAY] == 1);
	bench_dialog_send(b, &d, "ACK", "");
	bench_dropped(b, REQ_RELAY);
	snprintf(e.call_id, sizeof(e.call_id), "another");
	bench_dialog_send(b, &e, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

Test(steer_cookie, an_inward_cookie_does_not_let_a_client_out)
{
	struct bench_dialog d;
	struct bench *b = call(NULL, &d);

	snprintf(d.route[1], sizeof(d.route[1]), "<sip:203.0.113.66;lr>");
	d.n_routes = 2;
	bench_dialog_send(b, &d, "BYE", "");
	bench_answered(b, 403);
	d.n_routes = 1;
	snprintf(d.target, sizeof(d.target), "sip:x@203.0.113.66");
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* Outward, but to nothing that may be sent to. */
Test(steer_cookie, outward_never_to_multicast_or_ourselves)
{
	struct bench *b = bench_new(NULL);
	struct bench_dialog d;

	bench_send(b, MA, LB, "INVITE sip:bob@" B " SIP/2.0\nContact: <sip:carol@224.0.1.75>");
	bench_dialog_callee(b, &d);
	bench_dialog_send(b, &d, "BYE", "");
	bench_answered(b, 480);
	bench_dialog_send(b, &d, "ACK", "");
	bench_dropped(b, REQ_UNROUTABLE);
	snprintf(d.target, sizeof(d.target), "sip:carol@192.0.2.10");
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* A client's flow token alone, without a cookie of the call, sends nothing anywhere. */
Test(steer_cookie, a_clients_flow_token_opens_nothing)
{
	struct bench *b = bench_new(NULL);
	char text[600];

	bench_send(b, B, LB, "REGISTER sip:example.com SIP/2.0");
	snprintf(text, sizeof(text), "MESSAGE sip:bob@" B " SIP/2.0\nRoute: %s",
		 bench_header(b->out, "Path", 0));
	bench_send(b, A, LB, text);
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* ---- Several services ---- */

Test(steer_cookie, a_cookie_of_another_service_is_ignored)
{
	struct bench_opts o = { .two_services = true };
	struct bench *b = bench_new(&o);
	struct bench_dialog d;
	char *host;

	bench_send(b, A, "192.0.2.20:5060", "INVITE sip:bob@example.com SIP/2.0");
	bench_forwarded(b, "192.0.2.20:5060", "198.51.100.21:5060");
	bench_reply(b, 200, "sip:bob@server.example.com", "");
	bench_dialog_caller(b, &d);
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, "192.0.2.20:5060", "198.51.100.21:5060");
	/* The same cookie at the other service's address. */
	host = strstr(d.route[0], "192.0.2.20");
	memcpy(host, "192.0.2.10", 10);
	snprintf(d.dst, sizeof(d.dst), "%s", LB);
	bench_dialog_send(b, &d, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}
