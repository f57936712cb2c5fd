/*
 * Requests that members send: outward by flow, Route or Request-URI; to other members; to nothing
 * that cannot be reached. RFC 3261 16.5, 16.6 items 6 and 7; RFC 3327 5; RFC 3263.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_outward, .fini = leaks_check);

#define A   "203.0.113.5:5060"
#define N   "203.0.113.5:31000"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"
#define LB2 "192.0.2.10:5070"
#define EG  "198.51.100.1:5060"
#define MA  "198.51.100.11:5060"
#define MB  "198.51.100.12:5060"

struct row {
	const char *clause;
	struct bench_opts opts;
	const char *src, *dst;
	const char *in;
	const char *from, *to; /* forwarded; or */
	unsigned int status;   /* answered; or */
	enum dp_reason reason; /* dropped */
	const char *has;
};

static const struct row rows[] = {
	{ "RFC 3261 16.6 item 6: by Request-URI",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0",
	  LB,
	  "203.0.113.7:5060",
	  0,
	  0,
	  NULL },
	{ "RFC 3261 19.1.2: its port",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7:5999;transport=udp SIP/2.0",
	  LB,
	  "203.0.113.7:5999",
	  0,
	  0,
	  NULL },
	{ "RFC 3261 16.5: maddr goes before the host",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@example.com;maddr=203.0.113.8 SIP/2.0",
	  LB,
	  "203.0.113.8:5060",
	  0,
	  0,
	  NULL },
	{ "RFC 3261 16.6 item 6: Route before Request-URI",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@example.com SIP/2.0\nRoute: <sip:203.0.113.9:5070;lr>",
	  LB,
	  "203.0.113.9:5070",
	  0,
	  0,
	  "Route: <sip:203.0.113.9:5070;lr>" },
	{ "RFC 3261 16.6 item 6: our own value off, the next one followed",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@example.com SIP/2.0\nRoute: <sip:192.0.2.10;lr>,<sip:203.0.113.9;lr>",
	  LB,
	  "203.0.113.9:5060",
	  0,
	  0,
	  "Route: <sip:203.0.113.9;lr>" },
	{ "RFC 3261 16.6 item 6: a strict router outside",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@example.com SIP/2.0\nRoute: <sip:203.0.113.9>",
	  LB,
	  "203.0.113.9:5060",
	  0,
	  0,
	  "MESSAGE sip:203.0.113.9 SIP/2.0" },
	{ "any of the pair's `sources:`",
	  { .prefix = true },
	  "198.51.100.200:7777",
	  LB,
	  "INVITE sip:bob@203.0.113.7 SIP/2.0",
	  LB,
	  "203.0.113.7:5060",
	  0,
	  0,
	  "Record-Route: <sip:192.0.2.10:5060;lr;ss={cookie east - out}>" },
	{ "a member from any port of its address",
	  { 0 },
	  "198.51.100.11:33333",
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0",
	  LB,
	  "203.0.113.7:5060",
	  0,
	  0,
	  NULL },
	{ "leaves from where the member sent it to",
	  { .second_listener = true },
	  MA,
	  LB2,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0",
	  LB2,
	  "203.0.113.7:5060",
	  0,
	  0,
	  NULL },
	{ "from an egress address: by the service's first listener",
	  { .two_armed = true, .second_listener = true },
	  MA,
	  EG,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0",
	  LB,
	  "203.0.113.7:5060",
	  0,
	  0,
	  NULL },
	{ "to IPv6",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@[2001:db8:113::7]:5061 SIP/2.0",
	  LB6,
	  "[2001:db8:113::7]:5061",
	  0,
	  0,
	  NULL },
	/* To members */
	{ "to another member",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@198.51.100.12 SIP/2.0",
	  LB,
	  MB,
	  0,
	  0,
	  NULL },
	{ "to another member, two arms",
	  { .two_armed = true },
	  MA,
	  EG,
	  "MESSAGE sip:bob@198.51.100.12 SIP/2.0",
	  EG,
	  MB,
	  0,
	  0,
	  NULL },
	{ "to a member of another pair",
	  { .n_pairs = 2 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@198.51.100.21 SIP/2.0",
	  LB,
	  "198.51.100.21:5060",
	  0,
	  0,
	  NULL },
	/* Nowhere to go */
	{ "RFC 3261 16.5, RFC 3263: a name",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@example.com SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  "SIP/2.0 480 Next Hop Is No IP Address" },
	{ "RFC 3261 16.5: a Route that is a name",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nRoute: <sip:example.com;lr>",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "RFC 3966: a number",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE tel:+4930123 SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  "SIP/2.0 480 Next Hop Is No IP Address" },
	{ "RFC 3261 16.4: maddr that names us is stripped, and the host followed",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7;maddr=192.0.2.10 SIP/2.0",
	  LB,
	  "203.0.113.7:5060",
	  0,
	  0,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0" },
	{ "an egress address that is also another service's",
	  { .two_services = true, .two_armed = true, .egress = "192.0.2.20:5060" },
	  MA,
	  "192.0.2.20:5060",
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0",
	  "192.0.2.20:5060",
	  "203.0.113.7:5060",
	  0,
	  0,
	  NULL },
	{ "RFC 5031: a service",
	  { 0 },
	  MA,
	  LB,
	  "INVITE urn:service:sos SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "another transport",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7;transport=tcp SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  "SIP/2.0 480 Next Hop Is Not Reached By UDP" },
	{ "RFC 5630 5.3: a SIPS Route",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nRoute: <sips:203.0.113.9;lr>",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "RFC 3261 16.5: ourselves",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@192.0.2.10 SIP/2.0",
	  NULL,
	  NULL,
	  404,
	  0,
	  "SIP/2.0 404 Nobody Of That Name Here" },
	{ "multicast",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@224.0.1.75 SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "unspecified",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@0.0.0.0 SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "no listener of that family",
	  { .no_v6 = true },
	  MA,
	  LB,
	  "MESSAGE sip:bob@[2001:db8::7] SIP/2.0",
	  NULL,
	  NULL,
	  480,
	  0,
	  NULL },
	{ "RFC 3261 17: an ACK is never answered",
	  { 0 },
	  MA,
	  LB,
	  "ACK sip:bob@example.com SIP/2.0",
	  NULL,
	  NULL,
	  0,
	  DP_REASON_REQ_UNROUTABLE,
	  NULL },
	{ "RFC 3261 16.3: the same checks as a client's",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nMax-Forwards: 0",
	  NULL,
	  NULL,
	  483,
	  0,
	  NULL },
	{ "RFC 3261 16.3 item 5",
	  { 0 },
	  MA,
	  LB,
	  "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nProxy-Require: x",
	  NULL,
	  NULL,
	  420,
	  0,
	  NULL },
};

Test(steer_outward, rows)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct bench *b = bench_new(&r->opts);
		bool ok;

		bench_send(b, r->src, r->dst, r->in);
		if (r->to)
			ok = bench_forwarded(b, r->from, r->to);
		else if (r->status)
			ok = bench_answered(b, r->status);
		else
			ok = bench_dropped_at(__FILE__, __LINE__, b, r->reason);
		if (ok && r->has)
			ok = bench_has(b, r->has);
		cr_expect(ok, "row %zu: %s", i, r->clause);
		bench_free(b);
	}
}

Test(steer_outward, a_member_that_is_down_is_replaced_by_its_twin)
{
	struct bench_opts o = { .n_pairs = 2 };
	struct bench *b = bench_new(&o);

	bench_active(b, "west-b");
	bench_send(b, MA, LB, "MESSAGE sip:bob@198.51.100.21 SIP/2.0");
	bench_forwarded(b, LB, "198.51.100.21:5060");
	bench_down(b, "west-a", true);
	bench_send(b, MA, LB, "MESSAGE sip:bob@198.51.100.21 SIP/2.0");
	bench_forwarded(b, LB, "198.51.100.22:5060");
	bench_has(b, "MESSAGE sip:bob@198.51.100.21 SIP/2.0");
	cr_expect(b->members[bench_member(b, "west-b")].requests[SIP_METHOD_MESSAGE] == 1);
	bench_free(b);
}

/* ---- Path: RFC 3327 ---- */

static void register_phone(struct bench *b, const char *src, const char *dst, char path[400])
{
	bench_send(b, src, dst, "REGISTER sip:example.com SIP/2.0\nCall-ID: reg");
	snprintf(path, 400, "%s", bench_header(b->out, "Path", 0));
	cr_assert(path[0] == '<');
}

Test(steer_outward, path_leads_to_the_phone_by_its_own_socket_rfc3327_5_3)
{
	static const struct {
		struct bench_opts opts;
		const char *phone, *used, *member_local;
	} ways[] = {
		{ { .second_listener = true }, N, LB, LB },
		{ { .second_listener = true }, N, LB2, LB2 },
		{ { .second_listener = true, .two_armed = true }, N, LB2, EG },
		{ { 0 }, "[2001:db8:113::5]:31000", LB6, LB },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct bench *b = bench_new(&ways[i].opts);
		char path[400], text[600];

		register_phone(b, ways[i].phone, ways[i].used, path);
		bench_forwarded(b, ways[i].member_local, MA);
		snprintf(text, sizeof(text), "INVITE sip:alice@10.0.0.9:1234;ob SIP/2.0\nRoute: %s",
			 path);
		/* Also the twin, which shares the location. */
		bench_send(b, MB, ways[i].member_local, text);
		cr_expect(bench_forwarded(b, ways[i].used, ways[i].phone), "way %zu", i);
		bench_has(b, "INVITE sip:alice@10.0.0.9:1234;ob SIP/2.0");
		bench_lacks(b, "Route: {*}");
		bench_reply(b, 200, "", "");
		bench_forwarded(b, ways[i].member_local, MB);
		bench_free(b);
	}
}

/* Also when the Path value of an edge proxy stands behind ours, and when the contact's host is a
 * name. */
Test(steer_outward, path_through_an_edge_proxy_rfc3327_5_3)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[600];

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text),
		 "INVITE sip:alice@phone.example.com SIP/2.0\nRoute: %s, <sip:edge.example.com;lr>",
		 path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_has(b, "Route: <sip:edge.example.com;lr>");
	bench_free(b);
}

Test(steer_outward, a_forged_or_foreign_flow_token_is_ignored)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[600];

	register_phone(b, N, LB, path);
	for (int i = 5; i < 5 + STEER_FLOW_LEN; i++) {
		char was = path[i];

		path[i] = was == '0' ? '1' : '0';
		snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s",
			 path);
		bench_send(b, MA, LB, text);
		cr_expect(bench_forwarded(b, LB, "203.0.113.77:5060"), "byte %d", i);
		path[i] = was;
	}
	/* Under an older key it still leads there; under an unknown one no more. */
	snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s", path);
	b->secrets.key[1] = b->secrets.key[0];
	memset(b->secrets.key[0].b, 0x11, 16);
	b->secrets.n = 2;
	bench_reload(b);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	b->secrets.n = 1;
	bench_reload(b);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, "203.0.113.77:5060");
	bench_free(b);
}

/* The listener that the phone used is gone: the service's first one of the family. */
Test(steer_outward, a_flow_whose_listener_is_gone)
{
	struct bench_opts o = { .second_listener = true };
	struct bench *b = bench_new(&o);
	char path[400], text[600];

	register_phone(b, N, LB2, path);
	memcpy(strstr(path, ":5070"), ":5060", 5);
	b->opts.second_listener = false;
	bench_reload(b);
	snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s", path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_free(b);
}

/* RFC 3261 9.1, 17.1.1.3: CANCEL and ACK go the way of their INVITE, under its branch. */
Test(steer_outward, cancel_and_ack_of_a_members_invite_rfc3261_9_1)
{
	struct bench *b = bench_new(NULL);
	char via[256], text[600], path[400];
	static const char *const then[] = { "CANCEL", "ACK" };

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text), "INVITE sip:alice@10.0.0.9 SIP/2.0\nRoute: %s", path);
	bench_send(b, MA, LB, text);
	snprintf(via, sizeof(via), "%s", bench_header(b->out, "Via", 0));
	bench_active(b, "east-b");
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "%s sip:alice@10.0.0.9 SIP/2.0\nRoute: %s\nTo: <sip:a@b>;tag=5", then[i],
			 path);
		bench_send(b, MA, LB, text);
		bench_forwarded(b, LB, N);
		cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	}
	bench_free(b);
}

/* A member's call to another member through a client that does not record-route: two crossings, and
 * what lies behind them is a member, not the client's flow. */
Test(steer_outward, two_crossings_end_at_a_member_rfc3261_16_4)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[BENCH_MSG];
	struct bench_dialog caller, callee;

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text),
		 "INVITE sip:proxy@10.0.0.9 SIP/2.0\nRoute: %s\nContact: <sip:x@" MA ">", path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_active(b, "east-b");
	snprintf(text, sizeof(text),
		 "INVITE sip:bob@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-p\r\n%s",
		 strstr(b->out, "\r\n") + 2);
	bench_bytes(b, N, LB, text, strlen(text));
	bench_forwarded(b, LB, MB);
	bench_dialog_callee(b, &callee);
	cr_expect(callee.n_routes == 2);
	caller = callee;
	memcpy(caller.route[0], callee.route[1], sizeof(caller.route[0]));
	memcpy(caller.route[1], callee.route[0], sizeof(caller.route[0]));
	snprintf(caller.src, sizeof(caller.src), "%s", MA);
	snprintf(caller.target, sizeof(caller.target), "sip:bob@" MB);
	bench_dialog_send(b, &caller, "BYE", "");
	bench_forwarded(b, LB, MB);
	bench_lacks(b, "Route: {*}");
	bench_dialog_send(b, &callee, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* RFC 3261 18.2.2: an answer goes to the port of a member's Via, unless it asked for rport. */
Test(steer_outward, answers_to_members_rfc3261_18_2_2)
{
	struct bench *b = bench_new(NULL);

	bench_send(b, "198.51.100.11:40000", LB,
		   "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nMax-Forwards: 0\n"
		   "Via: SIP/2.0/UDP 198.51.100.11;branch=z9hG4bK-1");
	bench_answered(b, 483);
	cr_expect_str_eq(bench_endpoint_text(&b->v.to), MA);
	bench_send(b, "198.51.100.11:40000", LB,
		   "MESSAGE sip:bob@203.0.113.7 SIP/2.0\nMax-Forwards: 0\n"
		   "Via: SIP/2.0/UDP 198.51.100.11;rport;branch=z9hG4bK-1");
	cr_expect_str_eq(bench_endpoint_text(&b->v.to), "198.51.100.11:40000");
	bench_free(b);
}
