/*
 * Requests on their way to a member, bytes in and bytes out: Via, Record-Route, Path, received,
 * rport, Max-Forwards. RFC 3261 16.6, RFC 3581, RFC 5658, RFC 3327.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_bench.h"

/* One request in, all its bytes out. */
struct row {
	const char *clause;
	const char *src, *dst;
	const char *in;
	const char *from, *to;
	const char *out;
};

static const struct row rows[] = {
	{ "RFC 3261 16.6 items 4 and 8: Via and Record-Route on top; RFC 3581 4",
	  "203.0.113.5:5060", "192.0.2.10:5060", "INVITE sip:bob@example.com SIP/2.0",
	  "192.0.2.10:5060", "198.51.100.11:5060",
	  "INVITE sip:bob@example.com SIP/2.0\n"
	  "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch={branch east-a}\n"
	  "Record-Route: <sip:192.0.2.10:5060;lr;ss={cookie east east-a in}>\n"
	  "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-1;received=203.0.113.5;rport=5060\n"
	  "From: <sip:alice@example.com>;tag=f1\n"
	  "To: <sip:bob@example.com>\n"
	  "Call-ID: call-1\n"
	  "CSeq: 1 INVITE\n"
	  "Max-Forwards: 69\n"
	  "Content-Length: 0\n"
	  "\n" },
};

Test(steer_forward, bytes_out)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench_new(NULL);

		bench_send(b, rows[i].src, rows[i].dst, rows[i].in);
		if (!bench_forwarded(b, rows[i].from, rows[i].to) || !bench_is(b, rows[i].out))
			cr_log_error("%s", rows[i].clause);
		bench_free(b);
	}
}

Test(steer_forward, invite_200_ack_bye_both_ways_rfc3261_16)
{
	struct bench *b = bench_new(NULL);
	struct bench_dialog caller, callee;

	bench_send(b, "203.0.113.5:5060", "192.0.2.10:5060",
		   "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@203.0.113.5:5060>");
	bench_forwarded(b, "192.0.2.10:5060", "198.51.100.11:5060");
	bench_dialog_callee(b, &callee);
	bench_reply(b, 200, "sip:bob@198.51.100.11:5060", "");
	bench_forwarded(b, "192.0.2.10:5060", "203.0.113.5:5060");
	bench_dialog_caller(b, &caller);
	bench_dialog_send(b, &caller, "ACK", "");
	bench_forwarded(b, "192.0.2.10:5060", "198.51.100.11:5060");
	bench_lacks(b, "Route: {*}");
	bench_dialog_send(b, &caller, "BYE", "");
	bench_forwarded(b, "192.0.2.10:5060", "198.51.100.11:5060");
	bench_reply(b, 200, "", "");
	bench_forwarded(b, "192.0.2.10:5060", "203.0.113.5:5060");
	bench_dialog_send(b, &callee, "BYE", "");
	bench_forwarded(b, "192.0.2.10:5060", "203.0.113.5:5060");
	bench_lacks(b, "Route: {*}");
	bench_reply(b, 200, "", "");
	bench_forwarded(b, "192.0.2.10:5060", "198.51.100.11:5060");
	bench_free(b);
}
