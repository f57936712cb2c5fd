/*
 * What a request must pass before it goes anywhere, and the answers of our own. RFC 3261 8.2, 11,
 * 16.3, 17, 20.33, 21.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_request, .fini = leaks_check);

#define A   "203.0.113.5:5060" /* a phone */
#define A6  "[2001:db8:113::5]:5060"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"
#define MA  "198.51.100.11:5060"

#define MSG "MESSAGE sip:bob@example.com SIP/2.0\n"
#define INV "INVITE sip:bob@example.com SIP/2.0\n"

/* status: of our own answer; 0: dropped for `reason`; 1: forwarded. */
struct row {
	const char *clause;
	const char *in;
	unsigned int status;
	enum dp_reason reason;
	const char *has; /* lines of the answer, or NULL */
};

static const struct row rows[] = {
	/* 16.3 item 1: syntax of what is needed, and of nothing else */
	{ "RFC 3261 16.3 item 1: From", MSG "From: <sip:alice@example.com\n", 400, 0,
	  "SIP/2.0 400 Bad From" },
	{ "RFC 3261 16.3 item 1: To", MSG "To: <sip:bob\n", 400, 0, "SIP/2.0 400 Bad To" },
	{ "RFC 3261 16.3 item 1: CSeq", MSG "CSeq: x MESSAGE\n", 400, 0, "SIP/2.0 400 Bad CSeq" },
	{ "RFC 3261 8.1.1.5: CSeq's method", MSG "CSeq: 1 INVITE\n", 400, 0,
	  "SIP/2.0 400 CSeq Names Another Method" },
	{ "RFC 4475 3.1.2.18", "NEW sip:bob@example.com SIP/2.0\nCSeq: 1 OLD\n", 501, 0,
	  "SIP/2.0 501 Not Implemented" },
	{ "RFC 3261 20.14", MSG "Content-Length: 5\n", 400, 0, "SIP/2.0 400 Bad Content-Length" },
	{ "RFC 4475 3.3.8", MSG "To: <sip:a@b>\nTo: <sip:a@b>\n", 400, 0,
	  "SIP/2.0 400 Header Field Repeated" },
	{ "RFC 3261 20.22", MSG "Max-Forwards: x\n", 400, 0, "SIP/2.0 400 Bad Max-Forwards" },
	{ "RFC 3261 16.3 item 1: Request-URI", "MESSAGE sip:bob@exa^mple SIP/2.0\n", 400, 0,
	  "SIP/2.0 400 Bad Request-URI" },
	{ "RFC 3261 19.1.1: no headers in it", "MESSAGE sip:b@example.com?X=1 SIP/2.0\n", 400, 0,
	  "SIP/2.0 400 Headers In The Request-URI" },
	{ "RFC 3261 16.4 needs Route", MSG "Route: <sip:x@\n", 400, 0, "SIP/2.0 400 Bad Route" },
	{ "RFC 3261 16.3: nobody needs Contact", MSG "Contact: <<sip:\n", 1, 0, NULL },
	{ "RFC 3261 16.3: nor what is unknown", MSG "X-Odd: \"\n", 1, 0, NULL },
	{ "RFC 3261 7.3.2: nor the method", "NEW sip:bob@example.com SIP/2.0", 1, 0, NULL },
	/* Nothing to answer with or to */
	{ "RFC 3261 8.2.6.2", MSG "\n", 0, DP_REASON_SIP_MALFORMED, NULL },
	{ "RFC 3261 17.1.1.3: an ACK", "ACK sip:bob@example.com SIP/2.0\nCSeq: 1 BYE\n", 0,
	  DP_REASON_SIP_MALFORMED, NULL },
	{ "RFC 3261 7", "GET / HTTP/1.1\nHost: x\n\n", 0, DP_REASON_SIP_NOT_SIP, NULL },
	{ "RFC 3261 7", "hello", 0, DP_REASON_SIP_NOT_SIP, NULL },
	/* Items 2 to 5 */
	{ "RFC 3261 16.3 item 2", "MESSAGE xmpp:bob@example.com SIP/2.0\n", 416, 0,
	  "SIP/2.0 416 Unsupported URI Scheme" },
	{ "RFC 3261 16.3 item 2", "ACK xmpp:bob@example.com SIP/2.0\n", 0, DP_REASON_REQ_UNROUTABLE,
	  NULL },
	{ "RFC 3261 16.3 item 2: tel", "MESSAGE tel:+4930123 SIP/2.0\n", 1, 0, NULL },
	{ "RFC 5031 5: urn:service", "INVITE urn:service:sos.fire SIP/2.0\n", 1, 0, NULL },
	{ "RFC 5630 5.3", "INVITE sips:bob@example.com SIP/2.0\n", 480, 0,
	  "Warning: 380 sipsteer \"SIPS Not Allowed\"" },
	{ "RFC 3261 16.3 item 3", MSG "Max-Forwards: 0\n", 483, 0, "SIP/2.0 483 Too Many Hops" },
	{ "RFC 3261 11: OPTIONS too, when it is not for us",
	  "OPTIONS sip:bob@example.com SIP/2.0\nMax-Forwards: 0\n", 483, 0, NULL },
	{ "RFC 3261 17.1.1.3", "ACK sip:bob@example.com SIP/2.0\nMax-Forwards: 0\n", 0,
	  DP_REASON_REQ_UNROUTABLE, NULL },
	{ "RFC 3261 16.3 item 5, 20.40", MSG "Proxy-Require: teleport, nap\nProxy-Require: x\n",
	  420, 0, "Unsupported: teleport, nap, x" },
	{ "RFC 3261 8.2.2.3: not in CANCEL",
	  "CANCEL sip:bob@example.com SIP/2.0\nProxy-Require: nap\n", 1, 0, NULL },
	{ "RFC 3261 8.2.2.3: not in ACK", "ACK sip:bob@example.com SIP/2.0\nProxy-Require: nap\n",
	  1, 0, NULL },
	{ "RFC 3261 16.3: Require is the server's", MSG "Require: teleport\n", 1, 0, NULL },
	/* Version and size */
	{ "RFC 3261 21.5.6", "MESSAGE sip:bob@example.com SIP/3.0\n", 505, 0,
	  "SIP/2.0 505 Version Not Supported" },
	/* The appliance is no relay */
	{ "relay: Route", MSG "Route: <sip:192.0.2.10;lr>, <sip:203.0.113.66;lr>\n", 403, 0,
	  "SIP/2.0 403 Relaying Denied" },
	{ "relay: Route alone", MSG "Route: <sip:203.0.113.66;lr>\n", 403, 0, NULL },
	{ "not a relay: a Route by name is the member's matter",
	  MSG "Route: <sip:proxy.example.net;lr>\n", 1, 0, NULL },
	{ "not a relay: nor one by another transport",
	  MSG "Route: <sip:203.0.113.66;lr;transport=tcp>\n", 1, 0, NULL },
	{ "relay: Route to our address at another port", MSG "Route: <sip:192.0.2.10:9;lr>\n", 403,
	  0, NULL },
	{ "relay: ACK", "ACK sip:b@example.com SIP/2.0\nRoute: <sip:203.0.113.66;lr>\n", 0,
	  DP_REASON_REQ_RELAY, NULL },
	{ "relay: CANCEL", "CANCEL sip:b@example.com SIP/2.0\nRoute: <sip:203.0.113.66;lr>\n", 403,
	  0, NULL },
	{ "not a relay: a foreign Request-URI is the member's matter",
	  "MESSAGE sip:bob@203.0.113.66 SIP/2.0\n", 1, 0, NULL },
	{ "not a relay: maddr neither", "MESSAGE sip:b@x.org;maddr=203.0.113.66 SIP/2.0\n", 1, 0,
	  NULL },
};

Test(steer_request, checks_rfc3261_16_3)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct bench *b = bench_new(NULL);
		bool ok;

		bench_send(b, A, LB, r->in);
		if (r->status == 1)
			ok = bench_forwarded(b, LB, MA);
		else if (r->status == 0)
			ok = bench_dropped_at(__FILE__, __LINE__, b, r->reason);
		else
			ok = bench_answered(b, r->status);
		if (ok && r->has)
			ok = bench_has(b, r->has);
		if (ok && r->status > 1)
			ok = strcmp(bench_endpoint_text(&b->v.to), A) == 0
			     && strcmp(bench_endpoint_text(&b->v.from->at), LB) == 0;
		cr_expect(ok, "row %zu: %s\n%s", i, r->clause, r->in);
		bench_free(b);
	}
}

Test(steer_request, answer_bytes_rfc3261_8_2_6)
{
	struct bench *b = bench_new(NULL);

	bench_send(b, A, LB,
		   INV "Via: SIP/2.0/UDP phone.example.com;branch=z9hG4bK-9\n"
		       "v: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK-8\nMax-Forwards: 0\nX-Other: y");
	bench_answered(b, 483);
	bench_is(b, "SIP/2.0 483 Too Many Hops\n"
		    "Via: SIP/2.0/UDP phone.example.com;branch=z9hG4bK-9"
		    ";received=203.0.113.5;rport=5060\n"
		    "Via: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK-8\n"
		    "From: <sip:alice@example.com>;tag=f1\n"
		    "To: <sip:bob@example.com>;tag={tag}\n"
		    "Call-ID: call-1\n"
		    "CSeq: 1 INVITE\n"
		    "Content-Length: 0\n"
		    "\n");
	cr_expect(b->counters.answered == 1 && b->counters.sip_requests == 1);
	bench_free(b);
}

Test(steer_request, to_tag_is_a_function_of_the_request_rfc3261_8_2_7)
{
	struct bench *b = bench_new(NULL), *other = bench_new(NULL);
	char first[128];

	bench_send(b, A, LB, INV "Max-Forwards: 0");
	snprintf(first, sizeof(first), "%s", bench_header(b->out, "To", 0));
	bench_send(b, A, LB, INV "Max-Forwards: 0");
	cr_expect_str_eq(bench_header(b->out, "To", 0), first);
	/* Another instance with the same keys says the same. */
	bench_send(other, A, LB, INV "Max-Forwards: 0");
	cr_expect_str_eq(bench_header(other->out, "To", 0), first);
	bench_send(b, A, LB, INV "Max-Forwards: 0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-2");
	cr_expect_str_neq(bench_header(b->out, "To", 0), first);
	/* A To tag that is there stays. */
	bench_send(b, A, LB,
		   "BYE sip:bob@example.com SIP/2.0\nMax-Forwards: 0\nTo: <sip:b@x>;tag=9");
	cr_expect_str_eq(bench_header(b->out, "To", 0), "<sip:b@x>;tag=9");
	bench_free(b);
	bench_free(other);
}

Test(steer_request, ack_of_an_own_answer_is_absorbed_rfc3261_17_1_1_3)
{
	static const char *const vias[] = {
		"Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-1",
		"Via: SIP/2.0/UDP 203.0.113.5:5060", /* RFC 2543 */
		"Via: SIP/2.0/UDP 203.0.113.5:5060;branch=1",
	};

	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		struct bench *b = bench_new(NULL);
		char text[512], to[128];

		snprintf(text, sizeof(text), INV "%s\nMax-Forwards: 0", vias[i]);
		bench_send(b, A, LB, text);
		bench_answered(b, 483);
		snprintf(to, sizeof(to), "%s", bench_header(b->out, "To", 0));
		snprintf(text, sizeof(text), "ACK sip:bob@example.com SIP/2.0\n%s\nTo: %s", vias[i],
			 to);
		bench_send(b, A, LB, text);
		bench_dropped(b, REQ_ACK_ABSORBED);
		/* Also after the key has changed. */
		b->secrets.key[1] = b->secrets.key[0];
		memset(b->secrets.key[0].b, 7, 16);
		b->secrets.n = 2;
		bench_reload(b);
		bench_send(b, A, LB, text);
		bench_dropped(b, REQ_ACK_ABSORBED);
		/* Another's ACK is not. */
		snprintf(text, sizeof(text),
			 "ACK sip:bob@example.com SIP/2.0\n%s\nTo: %s\nCall-ID: x",
			 "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-7", to);
		bench_send(b, A, LB, text);
		bench_forwarded(b, LB, MA);
		bench_free(b);
	}
}

Test(steer_request, never_answered_rfc3261_18)
{
	struct bench *b = bench_new(NULL);
	static struct steer_verdict v;
	char text[2048];
	size_t n = bench_text(text, A, MSG "Max-Forwards: 0");
	struct steer_in in = {
		.buf = (const uint8_t *)text,
		.len = (uint32_t)n,
		.dst = bench_endpoint(LB),
	};
	static const char *const bad[] = { "224.0.1.75:5060", "255.255.255.255:5060",
					   "0.0.0.0:5060",    "203.0.113.5:0",
					   "192.0.2.10:5060", "[ff02::1]:5060",
					   "[::]:5060" };

	in.listener = dp_cfg_listener_at(b->cfg, &in.dst);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in.src = bench_endpoint(bad[i]);
		steer_begin(b->steer, b->cfg, b->now_us);
		steer_message(b->steer, &in, &v);
		cr_expect(v.action == STEER_DROP && v.reason == DP_REASON_ANSWER_FORBIDDEN, "%s",
			  bad[i]);
	}
	in.src = bench_endpoint(A);
	in.dst_multicast = true;
	steer_message(b->steer, &in, &v);
	cr_expect(v.action == STEER_DROP && v.reason == DP_REASON_ANSWER_FORBIDDEN, "multicast");
	in.dst_multicast = false;
	steer_message(b->steer, &in, &v);
	cr_expect(v.action == STEER_ANSWER, "the same from a good source");
	bench_free(b);
}

Test(steer_request, answers_are_limited_per_source)
{
	struct bench_opts o = { .answers_per_s = 5 };
	struct bench *b = bench_new(&o);
	unsigned int n = 0;

	for (int i = 0; i < 20; i++)
		n += bench_send(b, A, LB, MSG "Max-Forwards: 0") == STEER_ANSWER;
	cr_expect(n == 5, "%u", n);
	bench_dropped(b, ANSWER_LIMITED);
	/* Not another source, and not what is forwarded. */
	bench_send(b, "203.0.113.6:5060", LB, MSG "Max-Forwards: 0");
	bench_answered(b, 483);
	bench_send(b, A, LB, MSG);
	bench_forwarded(b, LB, MA);
	b->now_us += 1000000;
	bench_send(b, A, LB, MSG "Max-Forwards: 0");
	bench_answered(b, 483);
	bench_free(b);
}

Test(steer_request, too_large_rfc3261_21_5_7)
{
	struct bench_opts o = { .max_message = 1300 };
	struct bench *b = bench_new(&o);
	static char text[70000];

	snprintf(text, sizeof(text), MSG "X: %01200d", 0);
	bench_send(b, A, LB, text);
	bench_answered(b, 513);
	snprintf(text, sizeof(text), "ACK sip:b@example.com SIP/2.0\nX: %01200d", 0);
	bench_send(b, A, LB, text);
	bench_dropped(b, SIP_TOO_LARGE);
	snprintf(text, sizeof(text), MSG "X: %0900d", 0);
	bench_send(b, A, LB, text);
	bench_forwarded(b, LB, MA);
	/* Responses are not limited: somebody waits for them. */
	snprintf(text, sizeof(text), "X: %01200d\n", 0);
	bench_reply(b, 200, "", text);
	bench_forwarded(b, LB, A);
	bench_free(b);
}

Test(steer_request, more_headers_than_a_message_may_have)
{
	struct bench *b = bench_new(NULL);
	static char text[16384];
	char *p = text
		  + sprintf(text, MSG "From: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: 1\n"
				      "CSeq: 1 MESSAGE\nVia: SIP/2.0/UDP 1.2.3.4\n");

	for (int i = 0; i < 300; i++)
		p += sprintf(p, "X: 1\n");
	bench_send(b, A, LB, text);
	bench_answered(b, 513);
	bench_free(b);
}

/* Whatever is added must fit a datagram. */
Test(steer_request, no_room_for_our_header_fields)
{
	struct bench *b = bench_new(NULL);
	static char msg[65536];
	char head[512];
	struct steer_in in = { .src = bench_endpoint(A), .dst = bench_endpoint(LB) };
	static struct steer_verdict v;
	size_t n = bench_text(head, A, INV);

	memset(msg, 'x', sizeof(msg));
	for (size_t extra = 0; extra < 2; extra++) {
		size_t body = 65507 - n - (extra ? 10 : 1000);
		char length[128];
		size_t total;

		snprintf(length, sizeof(length), INV "Content-Length: %zu", body);
		total = bench_text(head, A, length);
		memcpy(msg, head, total);
		in.buf = (uint8_t *)msg;
		in.len = (uint32_t)(total + body);
		in.listener = dp_cfg_listener_at(b->cfg, &in.dst);
		steer_begin(b->steer, b->cfg, b->now_us);
		steer_message(b->steer, &in, &v);
		if (extra)
			cr_expect(v.action == STEER_DROP && v.reason == DP_REASON_NO_ROOM);
		else
			cr_expect(v.action == STEER_FORWARD);
	}
	bench_free(b);
}

/* ---- OPTIONS to the appliance: RFC 3261 11 ---- */

static const struct {
	const char *what, *dst, *in;
	unsigned int status; /* 1: forwarded */
} options[] = {
	{ "our address", LB, "OPTIONS sip:192.0.2.10 SIP/2.0", 200 },
	{ "with its port", LB, "OPTIONS sip:192.0.2.10:5060 SIP/2.0", 200 },
	{ "with parameters", LB, "OPTIONS sip:192.0.2.10:5060;transport=udp;x=1 SIP/2.0", 200 },
	{ "behind our own Route", LB, "OPTIONS sip:192.0.2.10 SIP/2.0\nRoute: <sip:192.0.2.10;lr>",
	  200 },
	{ "IPv6", LB6, "OPTIONS sip:[2001:DB8:0::10] SIP/2.0", 200 },
	{ "another port of ours, named by none", "192.0.2.10:5070",
	  "OPTIONS sip:192.0.2.10 SIP/2.0", 200 },
	{ "our name", LB, "OPTIONS sip:LB.example.com SIP/2.0", 200 },
	{ "whatever Max-Forwards says (11)", LB, "OPTIONS sip:192.0.2.10 SIP/2.0\nMax-Forwards: 0",
	  200 },
	{ "Require of what we cannot (8.2.2.3)", LB, "OPTIONS sip:192.0.2.10 SIP/2.0\nRequire: nap",
	  420 },
	{ "a user part is somebody", LB, "OPTIONS sip:ping@192.0.2.10 SIP/2.0", 1 },
	{ "another port", LB, "OPTIONS sip:192.0.2.10:9 SIP/2.0", 1 },
	{ "whatever the transport", LB, "OPTIONS sip:192.0.2.10;transport=tcp SIP/2.0", 200 },
	{ "our name at another port", LB, "OPTIONS sip:lb.example.com:9 SIP/2.0", 1 },
	{ "another host", LB, "OPTIONS sip:example.com SIP/2.0", 1 },
	{ "another method", LB, "REGISTER sip:192.0.2.10 SIP/2.0", 1 },
};

Test(steer_request, options_to_the_appliance_rfc3261_11)
{
	struct bench_opts o = { .second_listener = true, .own_name = "lb.example.com" };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct bench *b = bench_new(&o);
		bool v6 = options[i].dst[0] == '[';
		bool ok;

		bench_send(b, v6 ? A6 : A, options[i].dst, options[i].in);
		if (options[i].status == 1)
			ok = bench_forwarded(b, LB, MA);
		else
			ok = bench_answered(b, options[i].status);
		cr_expect(ok, "%s", options[i].what);
		bench_free(b);
	}
}

Test(steer_request, options_say_whether_a_pair_is_in_service)
{
	struct bench_opts o = { .n_pairs = 2 };
	struct bench *b = bench_new(&o);

	bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	bench_answered(b, 200);
	bench_lacks(b, "Allow: {*}"); /* 11.2 */
	bench_has(b, "Supported: path");
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	bench_answered(b, 200);
	bench_pair_flag(b, "west", DP_WORD_UNKNOWN, true);
	bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	bench_answered(b, 200);
	bench_pair_flag(b, "west", DP_WORD_OUT_OF_SERVICE, true);
	bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	bench_answered(b, 503);
	bench_has(b, "Retry-After: {*}");
	/* A member's ping is answered alike. */
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, false);
	bench_send(b, MA, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	bench_answered(b, 200);
	bench_free(b);
}

/* ---- Keep-alives: RFC 5626 4.4.1 ---- */

Test(steer_request, keepalives_are_absorbed_rfc5626_4_4_1)
{
	static const struct {
		const char *p;
		size_t len;
	} ping[] = { { "", 0 },         { "\r\n", 2 }, { "\r\n\r\n", 4 },    { "\n\n", 2 },
		     { "\0\0\0\0", 4 }, { "\0", 1 },   { "\r\n\r\n\r\n", 6 } };
	struct bench *b = bench_new(NULL);

	for (size_t i = 0; i < sizeof(ping) / sizeof(ping[0]); i++) {
		bench_bytes(b, A, LB, ping[i].p, ping[i].len);
		bench_dropped(b, KEEPALIVE);
	}
	cr_expect(b->counters.sip_requests + b->counters.sip_responses == 0);
	bench_free(b);
}

/* ---- Egress addresses ---- */

Test(steer_request, only_members_may_use_an_egress_address)
{
	struct bench_opts o = { .two_armed = true };
	struct bench *b = bench_new(&o);

	bench_send(b, A, "198.51.100.1:5060", MSG);
	bench_dropped(b, REQ_NOT_MEMBER);
	bench_send(b, A, "198.51.100.1:5060", "OPTIONS sip:198.51.100.1 SIP/2.0");
	bench_dropped(b, REQ_NOT_MEMBER);
	bench_send(b, A, "198.51.100.1:5060", MSG "CSeq: x\n");
	bench_dropped(b, REQ_NOT_MEMBER);
	bench_bytes(b, A, "198.51.100.1:5060",
		    "\0\1\0\0\x21\x12\xa4\x42"
		    "abcdefghijkl",
		    20);
	bench_dropped(b, REQ_NOT_MEMBER);
	bench_send(b, MA, "198.51.100.1:5060", "OPTIONS sip:198.51.100.1 SIP/2.0");
	bench_answered(b, 200);
	bench_free(b);
}
