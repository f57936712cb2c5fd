/*
 * Requests on their way, bytes in and bytes out: Via, Record-Route, Path, received, rport,
 * Max-Forwards. RFC 3261 16.6, RFC 3581, RFC 5658, RFC 3327.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_forward, .fini = leaks_check);

#define A   "203.0.113.5:5060"  /* a phone */
#define N   "203.0.113.5:31000" /* a phone behind a NAT */
#define A6  "[2001:db8:113::5]:5060"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"
#define EG  "198.51.100.1:5060"
#define MA  "198.51.100.11:5060"
#define MA6 "[2001:db8:1::11]:5060"

/* What a cookie and a flow token look like. */
#define COOKIE_FORM "000000000000000000000000000000000000000000"
#define FLOW_FORM                              \
	"ss0000000000000000000000000000000000" \
	"0000000000000000000000000000000000"

/* What bench_send() fills in, as it comes out. */
#define REST(cseq)                               \
	"From: <sip:alice@example.com>;tag=f1\n" \
	"To: <sip:bob@example.com>\n"            \
	"Call-ID: call-1\n"                      \
	"CSeq: 1 " cseq "\n"                     \
	"Max-Forwards: 69\n"                     \
	"Content-Length: 0\n"                    \
	"\n"
#define OWN_VIA "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch={branch east-a}\n"
#define VIA_A   "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport=5060\n"
#define RR_A    "Record-Route: <sip:192.0.2.10:5060;lr;ss={cookie east east-a in}>\n"

/* One request in, all its bytes out. */
struct row {
	const char *clause;
	struct bench_opts opts;
	const char *src, *dst;
	const char *in;
	const char *from, *to;
	const char *out;
};

static const struct row rows[] = {
	{ "RFC 3261 16.6 items 3, 4 and 8; RFC 3581 4, though rport was not asked for", .src = A,
	  .dst = LB, .from = LB, .to = MA, .in = "INVITE sip:bob@example.com SIP/2.0",
	  .out = "INVITE sip:bob@example.com SIP/2.0\n" OWN_VIA RR_A VIA_A REST("INVITE") },
	{ "RFC 3261 16.6 item 4: requests that form no dialog get no Record-Route", .src = A,
	  .dst = LB, .from = LB, .to = MA, .in = "MESSAGE sip:bob@example.com SIP/2.0",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.6 item 2: the Request-URI stays, byte for byte", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "SUBSCRIBE sip:%62ob;x=y:pw@EXAMPLE.com;maddr=10.0.0.1;transport=tls SIP/2.0",
	  .out = "SUBSCRIBE sip:%62ob;x=y:pw@EXAMPLE.com;maddr=10.0.0.1;transport=tls "
		 "SIP/2.0\n" OWN_VIA RR_A VIA_A REST("SUBSCRIBE") },
	{ "RFC 3261 16.6 item 4: Record-Route before those that are there; RFC 3581 4: rport, "
	  "received and what the client wrote there",
	  .src = N, .dst = LB, .from = LB, .to = MA,
	  .in = "REFER sip:bob@example.com SIP/2.0\n"
		"Via: SIP/2.0/UDP 10.0.0.9;received=10.9.9.9;branch=z9hG4bK-7;rport=1;x, "
		"SIP/2.0/UDP 10.0.0.8;branch=z9hG4bK-6\n"
		"Record-Route: <sip:10.0.0.9;lr>",
	  .out = "REFER sip:bob@example.com SIP/2.0\n" OWN_VIA
		 "Record-Route: <sip:{flow 203.0.113.5:31000}@192.0.2.10:5060;lr"
		 ";ss={cookie east east-a in}>\n"
		 "Via: SIP/2.0/UDP 10.0.0.9;received=203.0.113.5;branch=z9hG4bK-7;rport=31000;x, "
		 "SIP/2.0/UDP 10.0.0.8;branch=z9hG4bK-6\n"
		 "Record-Route: <sip:10.0.0.9;lr>\n" REST("REFER") },
	{ "RFC 3581 4: a client behind a NAT that did not ask for rport", .src = N, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK-7",
	  .out = "INVITE sip:bob@example.com SIP/2.0\n" OWN_VIA RR_A "Via: SIP/2.0/UDP "
		 "10.0.0.9;branch=z9hG4bK-7;received=203.0.113.5;rport=31000\n" REST("INVITE") },
	{ "RFC 3261 7.3.3, 18.2.1: compact Via, host name in it", .src = A, .dst = LB, .from = LB,
	  .to = MA,
	  .in = "MESSAGE sip:bob@example.com SIP/2.0\n"
		"v: SIP/2.0/UDP phone.example.com;branch=z9hG4bK-7;rport",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA
		 "v: SIP/2.0/UDP phone.example.com;branch=z9hG4bK-7"
		 ";received=203.0.113.5;rport=5060\n" REST("MESSAGE") },
	{ "RFC 3327 5.1: Path on REGISTER, with the phone's flow, and no Record-Route (20.30)",
	  .src = N, .dst = LB, .from = LB, .to = MA,
	  .in = "REGISTER sip:example.com SIP/2.0\nPath: <sip:edge.example.com;lr>",
	  .out = "REGISTER sip:example.com SIP/2.0\n" OWN_VIA
		 "Path: <sip:{flow 203.0.113.5:31000}@192.0.2.10:5060;lr>\n"
		 "Via: SIP/2.0/UDP 203.0.113.5:31000;branch=z9hG4bK-1"
		 ";received=203.0.113.5;rport=31000\n"
		 "Path: <sip:edge.example.com;lr>\n" REST("REGISTER") },
	{ "path: no", .opts = { .no_path = true }, .src = A, .dst = LB, .from = LB, .to = MA,
	  .in = "REGISTER sip:example.com SIP/2.0",
	  .out = "REGISTER sip:example.com SIP/2.0\n" OWN_VIA VIA_A REST("REGISTER") },
	{ "RFC 5658 5: two values when the interface changes, the server's side on top",
	  .opts = { .two_armed = true }, .src = A, .dst = LB, .from = EG, .to = MA,
	  .in = "INVITE sip:bob@example.com SIP/2.0",
	  .out = "INVITE sip:bob@example.com SIP/2.0\n"
		 "Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch={branch east-a}\n"
		 "Record-Route: <sip:198.51.100.1:5060;lr;ss={cookie east east-a in}>\n" RR_A VIA_A
			 REST("INVITE") },
	{ "RFC 3327: with two arms Path names the server's side", .opts = { .two_armed = true },
	  .src = A, .dst = LB, .from = EG, .to = MA, .in = "REGISTER sip:example.com SIP/2.0",
	  .out = "REGISTER sip:example.com SIP/2.0\n"
		 "Via: SIP/2.0/UDP 198.51.100.1:5060;rport;branch={branch east-a}\n"
		 "Path: <sip:{flow 203.0.113.5:5060}@198.51.100.1:5060;lr>\n" VIA_A REST(
			 "REGISTER") },
	{ "RFC 5658 5: two values when the address family changes: IPv6 to IPv4", .src = A6,
	  .dst = LB6, .from = LB, .to = MA, .in = "INVITE sip:bob@example.com SIP/2.0",
	  .out = "INVITE sip:bob@example.com SIP/2.0\n" OWN_VIA RR_A
		 "Record-Route: <sip:[2001:db8::10]:5060;lr;ss={cookie east east-a in}>\n"
		 "Via: SIP/2.0/UDP [2001:db8:113::5]:5060;branch=z9hG4bK-1"
		 ";received=2001:db8:113::5;rport=5060\n" REST("INVITE") },
	{ "RFC 5658 5: IPv4 to IPv6", .opts = { .v6_members = true }, .src = A, .dst = LB,
	  .from = LB6, .to = MA6, .in = "INVITE sip:bob@example.com SIP/2.0",
	  .out = "INVITE sip:bob@example.com SIP/2.0\n"
		 "Via: SIP/2.0/UDP [2001:db8::10]:5060;rport;branch={branch east-a}\n"
		 "Record-Route: <sip:[2001:db8::10]:5060;lr;ss={cookie east east-a in}>\n" RR_A
			 VIA_A REST("INVITE") },
	{ "IPv6 to IPv6", .opts = { .v6_members = true }, .src = A6, .dst = LB6, .from = LB6,
	  .to = MA6, .in = "MESSAGE sip:bob@example.com SIP/2.0",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n"
		 "Via: SIP/2.0/UDP [2001:db8::10]:5060;rport;branch={branch east-a}\n"
		 "Via: SIP/2.0/UDP [2001:db8:113::5]:5060;branch=z9hG4bK-1"
		 ";received=2001:db8:113::5;rport=5060\n" REST("MESSAGE") },
	{ "RFC 3261 16.6 item 3: 70 where there was none", .src = A, .dst = LB, .from = LB,
	  .to = MA,
	  .in = "MESSAGE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1\n"
		"From: <sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\nCSeq: 1 MESSAGE\n\n",
	  .out = "MESSAGE sip:b@example.com SIP/2.0\n" OWN_VIA
		 "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1;received=203.0.113.5;rport=5060\n"
		 "Max-Forwards: 70\n"
		 "From: <sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\nCSeq: 1 MESSAGE\n\n" },
	{ "RFC 3261 18.3, 7.5: line ends before and bytes behind the message go", .src = A,
	  .dst = LB, .from = LB, .to = MA,
	  .in = "\n\nMESSAGE sip:b@example.com SIP/2.0\n"
		"Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1\n"
		"Max-Forwards: 1\nFrom: <sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\n"
		"CSeq: 1 MESSAGE\nContent-Length: 4\n\nbodyMESSAGE sip:x@y SIP/2.0\n",
	  .out = "MESSAGE sip:b@example.com SIP/2.0\n" OWN_VIA
		 "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1;received=203.0.113.5;rport=5060\n"
		 "Max-Forwards: 0\nFrom: <sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\n"
		 "CSeq: 1 MESSAGE\nContent-Length: 4\n\nbody" },
	{ "RFC 3261 16.4: our own Route value goes, with its line", .src = A, .dst = LB, .from = LB,
	  .to = MA, .in = "MESSAGE sip:bob@example.com SIP/2.0\nRoute: <sip:192.0.2.10;lr>",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: ours by name", .opts = { .own_name = "lb.example.com" }, .src = A,
	  .dst = LB, .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com SIP/2.0\nRoute: \"Out\" <sip:LB.example.com;lr>;x=y",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: our name at another port is not ours",
	  .opts = { .own_name = "lb.example.com" }, .src = A, .dst = LB, .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com SIP/2.0\nRoute: <sip:lb.example.com:5061;lr>",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A
		 "Route: <sip:lb.example.com:5061;lr>\n" REST("MESSAGE") },
	{ "RFC 3261 16.6 item 6: a Route value that names a member stays", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com SIP/2.0\n"
		"Route: <sip:192.0.2.10;lr>, <sip:198.51.100.11;lr>",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A
		 "Route: <sip:198.51.100.11;lr>\n" REST("MESSAGE") },
	{ "RFC 3261 16.6 item 6: the next hop is a strict router", .src = A, .dst = LB, .from = LB,
	  .to = MA,
	  .in = "MESSAGE sip:bob@example.com SIP/2.0\n"
		"Route: <sip:192.0.2.10;lr>, <sip:x@198.51.100.11:5060>, <sip:198.51.100.99;lr>",
	  .out = "MESSAGE sip:x@198.51.100.11:5060 SIP/2.0\n" OWN_VIA VIA_A
		 "Route: <sip:198.51.100.99;lr>\n"
		 "Route: <sip:bob@example.com>\n" REST("MESSAGE") },
	{ "RFC 3261 16.6 item 6: the strict router was the only one", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com;p=1 SIP/2.0\nRoute: <sip:198.51.100.11>",
	  .out = "MESSAGE sip:198.51.100.11 SIP/2.0\n" OWN_VIA VIA_A
		 "Route: <sip:bob@example.com;p=1>\n" REST("MESSAGE") },
	{ "RFC 3261 16.4: the Request-URI has the form of our Record-Route", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:192.0.2.10;lr;ss=" COOKIE_FORM " SIP/2.0\n"
		"Route: <sip:bob@example.com>",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: the Request-URI has the form of our Path", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:" FLOW_FORM "@192.0.2.10;lr SIP/2.0\nRoute: <sip:bob@example.com>",
	  .out = "MESSAGE sip:bob@example.com SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: the form of our Record-Route, but not our address", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:192.0.2.99;lr;ss=" COOKIE_FORM " SIP/2.0\n"
		"Route: <sip:192.0.2.10;lr>",
	  .out = "MESSAGE sip:192.0.2.99;lr;ss=" COOKIE_FORM
		 " SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: our address, but not the form of our Record-Route", .src = A, .dst = LB,
	  .from = LB, .to = MA,
	  .in = "MESSAGE sip:192.0.2.10;lr;ss=x" COOKIE_FORM " SIP/2.0\n"
		"Route: <sip:198.51.100.11;lr>",
	  .out = "MESSAGE sip:192.0.2.10;lr;ss=x" COOKIE_FORM " SIP/2.0\n" OWN_VIA VIA_A
		 "Route: <sip:198.51.100.11;lr>\n" REST("MESSAGE") },
	{ "RFC 3261 16.4: maddr that names us is stripped, with transport and port",
	  .opts = { .second_listener = true }, .src = A, .dst = "192.0.2.10:5070",
	  .from = "192.0.2.10:5070", .to = MA,
	  .in = "MESSAGE sip:bob@example.com:5070;transport=udp;a=b;maddr=192.0.2.10;c SIP/2.0",
	  .out = "MESSAGE sip:bob@example.com;a=b;c SIP/2.0\n"
		 "Via: SIP/2.0/UDP 192.0.2.10:5070;rport;branch={branch east-a}\n" VIA_A REST(
			 "MESSAGE") },
	{ "RFC 3261 16.4: the default port stays", .src = A, .dst = LB, .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com:5060;maddr=192.0.2.10 SIP/2.0",
	  .out = "MESSAGE sip:bob@example.com:5060 SIP/2.0\n" OWN_VIA VIA_A REST("MESSAGE") },
	{ "RFC 3261 16.4: maddr with another port than the request came to is not ours",
	  .opts = { .second_listener = true }, .src = A, .dst = LB, .from = LB, .to = MA,
	  .in = "MESSAGE sip:bob@example.com:5070;maddr=192.0.2.10 SIP/2.0",
	  .out = "MESSAGE sip:bob@example.com:5070;maddr=192.0.2.10 SIP/2.0\n" OWN_VIA VIA_A REST(
		  "MESSAGE") },
	{ "A member's request: outward by Request-URI; RFC 3261 18.2.1: received, but no rport "
	  "that it did not ask for",
	  .src = MA, .dst = LB, .from = LB, .to = "203.0.113.7:5062",
	  .in = "INVITE sip:bob@203.0.113.7:5062;x SIP/2.0",
	  .out = "INVITE sip:bob@203.0.113.7:5062;x SIP/2.0\n" OWN_VIA
		 "Record-Route: <sip:192.0.2.10:5060;lr;ss={cookie east east-a out}>\n"
		 "Via: SIP/2.0/UDP "
		 "198.51.100.11:5060;branch=z9hG4bK-1;received=198.51.100.11\n" REST("INVITE") },
	{ "RFC 3581 4: a member that asks for rport; no Path on its REGISTER",
	  .src = "198.51.100.11:40000", .dst = LB, .from = LB, .to = "203.0.113.7:5060",
	  .in = "REGISTER sip:203.0.113.7 SIP/2.0\n"
		"Via: SIP/2.0/UDP 198.51.100.11;rport;branch=z9hG4bK-1",
	  .out = "REGISTER sip:203.0.113.7 SIP/2.0\n" OWN_VIA
		 "Via: SIP/2.0/UDP 198.51.100.11;received=198.51.100.11;rport=40000"
		 ";branch=z9hG4bK-1\n" REST("REGISTER") },
	{ "RFC 5658 5: two values outward, the client's side on top", .opts = { .two_armed = true },
	  .src = MA, .dst = EG, .from = LB, .to = "203.0.113.7:5060",
	  .in = "INVITE sip:bob@203.0.113.7 SIP/2.0",
	  .out = "INVITE sip:bob@203.0.113.7 SIP/2.0\n" OWN_VIA
		 "Record-Route: <sip:192.0.2.10:5060;lr;ss={cookie east east-a out}>\n"
		 "Record-Route: <sip:198.51.100.1:5060;lr;ss={cookie east east-a out}>\n"
		 "Via: SIP/2.0/UDP "
		 "198.51.100.11:5060;branch=z9hG4bK-1;received=198.51.100.11\n" REST("INVITE") },
	{ "Outward from IPv4 to IPv6", .src = MA, .dst = LB, .from = LB6, .to = A6,
	  .in = "MESSAGE sip:bob@[2001:db8:113::5] SIP/2.0",
	  .out = "MESSAGE sip:bob@[2001:db8:113::5] SIP/2.0\n"
		 "Via: SIP/2.0/UDP [2001:db8::10]:5060;rport;branch={branch east-a}\n"
		 "Via: SIP/2.0/UDP "
		 "198.51.100.11:5060;branch=z9hG4bK-1;received=198.51.100.11\n" REST("MESSAGE") },
};

Test(steer_forward, bytes_out)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench_new(&rows[i].opts);
		bool ok;

		bench_send(b, rows[i].src, rows[i].dst, rows[i].in);
		ok = bench_forwarded(b, rows[i].from, rows[i].to) && bench_is(b, rows[i].out);
		cr_expect(ok, "row %zu: %s", i, rows[i].clause);
		bench_free(b);
	}
}

Test(steer_forward, responses_bytes_out_rfc3261_16_7)
{
	struct bench *b = bench_new(NULL);
	char msg[BENCH_MSG], via[2][256];

	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
	snprintf(via[0], sizeof(via[0]), "%s", bench_header(b->out, "Via", 0));
	snprintf(via[1], sizeof(via[1]), "%s", bench_header(b->out, "Via", 1));
	snprintf(msg, sizeof(msg),
		 "\nSIP/2.0 200 OK\nVia: %s\nX: 1\nv: %s\nFrom: <sip:a@b>;tag=f1\nTo: "
		 "<sip:b@b>;tag=2\n"
		 "Call-ID: call-1\nCSeq: 1 INVITE\nContent-Length: 2\n\nokJUNK",
		 via[0], via[1]);
	bench_send(b, MA, LB, msg);
	bench_forwarded(b, LB, A);
	snprintf(msg, sizeof(msg),
		 "SIP/2.0 200 OK\nX: 1\nv: %s\nFrom: <sip:a@b>;tag=f1\nTo: <sip:b@b>;tag=2\n"
		 "Call-ID: call-1\nCSeq: 1 INVITE\nContent-Length: 2\n\nok",
		 via[1]);
	bench_is(b, msg);
	/* Both Vias on one line. */
	snprintf(msg, sizeof(msg), "SIP/2.0 200 OK\nVia: %s , %s\nTo: <sip:b@b>;tag=2", via[0],
		 via[1]);
	bench_send(b, MA, LB, msg);
	bench_forwarded(b, LB, A);
	snprintf(msg, sizeof(msg), "Via: %s", via[1]);
	bench_has(b, msg);
	bench_free(b);
}

/* A message without any of our edits in its body: the body's bytes are the client's. */
Test(steer_forward, body_and_unknown_headers_pass_unchanged_rfc3261_16_3)
{
	struct bench *b = bench_new(NULL);

	bench_send(
		b, A, LB,
		"INVITE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1\n"
		"X-Odd : \"a\n \tb\nMax-Forwards: 7\nf: <sip:a@b>;tag=1\nt: <sip:b@b>\ni: 1\n"
		"CSeq: 1 INVITE\nl: 22\n\nVia: Route: \1\2\3\x80\xff;;;\n");
	bench_forwarded(b, LB, MA);
	bench_has(b, "X-Odd : \"a\n \tb\nMax-Forwards: 6\nf: <sip:a@b>;tag=1");
	cr_expect(b->out_len > 20
		  && memcmp(b->out + b->out_len - 22, b->in + b->in_len - 22, 22) == 0);
	bench_free(b);
}

Test(steer_forward, counters)
{
	struct bench *b = bench_new(NULL);
	uint32_t a = bench_member(b, "east-a");

	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
	bench_reply(b, 180, "", "");
	bench_send(b, MA, LB, "INVITE sip:bob@203.0.113.7 SIP/2.0\nCall-ID: 2");
	bench_reply(b, 200, "", "");
	cr_expect(b->counters.sip_requests == 2 && b->counters.sip_responses == 2);
	cr_expect(b->counters.forwarded == 4 && b->counters.answered == 0);
	cr_expect(bench_counters(b, a).requests[SIP_METHOD_INVITE] == 1);
	cr_expect(bench_counters(b, a).responses[0] == 1 && bench_counters(b, a).responses[1] == 0);
	cr_expect(bench_counters(b, a).from == 1);
	cr_expect(b->counters.records_made == 1);
	bench_free(b);
}

/* RFC 3261 12, 16.6 item 4; RFC 3515 2.4.1; RFC 6665 4.1, 4.2: which requests get Record-Route. In
 * a dialog too: an endpoint that has failed builds its route set from them anew (16.6 item 4). */
Test(steer_forward, what_is_record_routed_rfc3261_16_6_item_4)
{
	static const struct {
		const char *method;
		bool rr;
	} all[] = {
		{ "INVITE", true },   { "SUBSCRIBE", true }, { "NOTIFY", true },
		{ "REFER", true },    { "REGISTER", false }, { "OPTIONS", false },
		{ "MESSAGE", false }, { "PUBLISH", false },  { "BYE", false },
		{ "ACK", false },     { "CANCEL", false },   { "PRACK", false },
		{ "UPDATE", false },  { "INFO", false },     { "NEW", false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (int in_dialog = 0; in_dialog < 2; in_dialog++) {
			struct bench *b = bench_new(NULL);
			char text[256];

			snprintf(text, sizeof(text), "%s sip:bob@example.com SIP/2.0\n%s",
				 all[i].method, in_dialog ? "To: <sip:a@b>;tag=1" : "");
			bench_send(b, A, LB, text);
			bench_forwarded(b, LB, MA);
			if (all[i].rr)
				bench_has(b, "Record-Route: {*}");
			else
				bench_lacks(b, "Record-Route: {*}");
			bench_free(b);
		}
	}
}
