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
	{ "RFC 3261 16.4: and its port with it",
	  { .second_listener = true },
	  MA,
	  LB2,
	  "MESSAGE sip:bob@203.0.113.7:5070;maddr=192.0.2.10 SIP/2.0",
	  LB2,
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
	cr_expect(bench_counters(b, bench_member(b, "west-b")).requests[SIP_METHOD_MESSAGE] == 1);
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
