/*
 * STUN binding requests on a SIP port, bytes in and bytes out. RFC 5389 6, 7.3, 12.2, 15; RFC 5626
 * 3.5.2; test vectors' shape after RFC 5769.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_stun, .fini = leaks_check);

#define A   "203.0.113.5:31000" /* 0xcb007105, 0x7918 */
#define A6  "[2001:db8:113::5]:31000"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"

#define ID              "abcdefghijkl" /* transaction id */
#define COOKIE          "\x21\x12\xa4\x42"
#define HEAD(type, len) type len COOKIE ID
#define REQUEST(len)    HEAD("\x00\x01", len)

struct row {
	const char *clause;
	const char *src, *dst;
	const char *in;
	size_t in_len;
	const char *out; /* NULL: dropped for `reason` */
	size_t out_len;
	enum dp_reason reason;
};

#define IN(s)   (s), sizeof(s) - 1
#define OUT(s)  (s), sizeof(s) - 1, DP_REASON_N
#define DROP(r) NULL, 0, DP_REASON_##r

static const struct row rows[] = {
	/* Port 0x7918 ^ 0x2112 = 0x580a; 0xcb007105 ^ 0x2112a442 = 0xea12d547. */
	{ "RFC 5389 15.2: IPv4", A, LB, IN(REQUEST("\0\0")),
	  OUT(HEAD("\x01\x01", "\0\x0c") "\x00\x20\x00\x08\x00\x01\x58\x0a\xea\x12\xd5\x47") },
	/* 2001:0db8:0113:0:0:0:0:5 ^ 2112a442 "abcdefghijkl" */
	{ "RFC 5389 15.2: IPv6", A6, LB6, IN(REQUEST("\0\0")),
	  OUT(HEAD("\x01\x01", "\0\x18") "\x00\x20\x00\x14\x00\x02\x58\x0a\x01\x13\xa9\xfa"
					 "\x60\x71\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x69") },
	{ "RFC 5389 12.2: a client of RFC 3489", A, LB,
	  IN("\x00\x01\x00\x00"
	     "0123456789abcdef"),
	  OUT("\x01\x01\x00\x0c"
	      "0123456789abcdef"
	      "\x00\x01\x00\x08\x00\x01\x79\x18\xcb\x00\x71\x05") },
	{ "RFC 5389 15: optional attributes may be ignored", A, LB,
	  IN(REQUEST("\0\x0c") "\x80\x22\x00\x05hello\0\0\0"),
	  OUT(HEAD("\x01\x01", "\0\x0c") "\x00\x20\x00\x08\x00\x01\x58\x0a\xea\x12\xd5\x47") },
	{ "RFC 5389 7.3.1: an unknown attribute that must be understood: 420", A, LB,
	  IN(REQUEST("\0\x08") "\x00\x03\x00\x04\x00\x00\x00\x06"),
	  OUT(HEAD("\x01\x11", "\0\x24") "\x00\x09\x00\x15\x00\x00\x04\x14Unknown Attribute\0\0\0"
					 "\x00\x0a\x00\x02\x00\x03\x00\x00") },
	{ "RFC 5389 7.3.1: a binding indication is not answered", A, LB,
	  IN(HEAD("\x00\x11", "\0\0")), DROP(KEEPALIVE) },
	{ "RFC 5389 7.3: no response is answered", A, LB, IN(HEAD("\x01\x01", "\0\0")),
	  DROP(STUN_MALFORMED) },
	{ "RFC 5389 7.3: nor another method", A, LB, IN(HEAD("\x00\x03", "\0\0")),
	  DROP(STUN_MALFORMED) },
	{ "RFC 5389 15: an attribute beyond the end", A, LB,
	  IN(REQUEST("\0\x04") "\x80\x22\x00\x05"), DROP(STUN_MALFORMED) },
	{ "RFC 5389 15.5: a wrong fingerprint", A, LB,
	  IN(REQUEST("\0\x08") "\x80\x28\x00\x04"
			       "abcd"),
	  DROP(STUN_MALFORMED) },
	{ "RFC 5389 6: a length that is not the datagram's", A, LB, IN(REQUEST("\0\x08")),
	  DROP(SIP_NOT_SIP) },
	{ "RFC 5389 6: a length that is no multiple of four", A, LB, IN(REQUEST("\0\x02") "ab"),
	  DROP(SIP_NOT_SIP) },
	{ "RFC 5389 6: shorter than a header", A, LB, IN("\x00\x01\x00\x00"), DROP(SIP_NOT_SIP) },
};

Test(steer_stun, bytes_rfc5389)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct bench *b = bench_new(NULL);
		bool ok;

		bench_bytes(b, r->src, r->dst, r->in, r->in_len);
		if (r->out)
			ok = b->v.action == STEER_ANSWER && b->v.status == 0
			     && b->out_len == r->out_len && memcmp(b->out, r->out, r->out_len) == 0
			     && strcmp(bench_endpoint_text(&b->v.to), r->src) == 0
			     && strcmp(bench_endpoint_text(&b->v.from->at), r->dst) == 0;
		else
			ok = bench_dropped_at(__FILE__, __LINE__, b, r->reason);
		cr_expect(ok, "row %zu: %s (%zu bytes out)", i, r->clause, b->out_len);
		cr_expect(b->counters.sip_requests + b->counters.sip_responses == 0
			  || r->reason == DP_REASON_SIP_NOT_SIP);
		bench_free(b);
	}
}

/* RFC 5389 15.5: what came with a fingerprint goes with one. The request's was computed with
 * another implementation of CRC-32. */
Test(steer_stun, fingerprint_rfc5389_15_5)
{
	struct bench *b = bench_new(NULL);
	static const char in[] = REQUEST("\0\x08") "\x80\x28\x00\x04"
						   "\x3f\x07\x24\xbd";
	static const char out[] =
		HEAD("\x01\x01", "\0\x14") "\x00\x20\x00\x08\x00\x01\x58\x0a\xea\x12\xd5\x47"
					   "\x80\x28\x00\x04"
					   "\xc1\x23\xc5\xba";

	bench_bytes(b, A, LB, in, sizeof(in) - 1);
	cr_expect(b->v.action == STEER_ANSWER && b->out_len == sizeof(out) - 1
		  && memcmp(b->out, out, sizeof(out) - 1) == 0);
	bench_free(b);
}

Test(steer_stun, limited_and_not_to_everybody)
{
	struct bench_opts o = { .answers_per_s = 3 };
	struct bench *b = bench_new(&o);
	unsigned int n = 0;

	for (int i = 0; i < 10; i++)
		n += bench_bytes(b, A, LB, IN(REQUEST("\0\0"))) == STEER_ANSWER;
	cr_expect(n == 3, "%u", n);
	bench_dropped(b, ANSWER_LIMITED);
	bench_bytes(b, "224.0.0.1:5060", LB, IN(REQUEST("\0\0")));
	bench_dropped(b, ANSWER_FORBIDDEN);
	bench_free(b);
}

/* Every length of a request, and every byte of it changed. */
Test(steer_stun, cut_and_changed)
{
	struct bench *b = bench_new(NULL);
	char in[64];
	size_t len = sizeof(REQUEST("\0\x0c") "\x80\x22\x00\x05hello\0\0\0") - 1;

	for (size_t n = 0; n <= len; n++) {
		memcpy(in, REQUEST("\0\x0c") "\x80\x22\x00\x05hello\0\0\0", len);
		bench_bytes(b, A, LB, in, n);
		for (int v = 0; n < len && v < 256; v++) {
			in[n] = (char)v;
			bench_bytes(b, A, LB, in, len);
		}
	}
	bench_free(b);
}
