/* Messages built from a parsed request: every one is parsed again. */
#include "sip/sip_build.h"
#include "tests/sip/parse_helper.h"
#include "tests/sip/samples.h"

#include <errno.h>
#include <stdio.h>

static struct sip_msg built;
static char out[70000];

TestSuite(build, .init = parse_set_up, .fini = parse_tear_down);

#define INVITE                                                                             \
	"INVITE sip:bob@b.example.com SIP/2.0\r\n"                                         \
	"Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown, SIP/2.0/UDP p;branch=z9hG4bKp\r\n" \
	"v: SIP/2.0/UDP c;branch=z9hG4bKc\r\n"                                             \
	"t: Bob <sip:bob@b.example.com>\r\n"                                               \
	"f: Alice <sip:alice@a.example.com>;tag=88sja8x\r\n"                               \
	"Route: <sip:r1;lr>\r\n"                                                           \
	"Max-Forwards: 68\r\n"                                                             \
	"i: 987asjd97y7atg\r\n"                                                            \
	"CSeq: 986759 INVITE\r\n"                                                          \
	"Route: <sip:r2;lr>,<sip:r3>\r\n"                                                  \
	"Proxy-Require: foo\r\n"                                                           \
	"Timestamp: 54.25\r\n"                                                             \
	"l: 4\r\n"                                                                         \
	"\r\n"                                                                             \
	"body"

static enum sip_result reparse(int n)
{
	cr_assert_gt(n, 0);
	out[n] = '\0';
	return sip_msg_parse(&built, (uint8_t *)out, (size_t)n);
}

static int respond(size_t size, unsigned int status, const struct sip_response_opts *opts)
{
	return sip_build_response((uint8_t *)out, size, &msg, status, opts);
}

Test(build, response_copies_what_it_must_rfc3261_8_2_6_2)
{
	const struct sip_response_opts opts = { .to_tag = "us" };

	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_assert_eq(reparse(respond(sizeof(out), 503, &opts)), SIP_OK);
	cr_expect_str_eq(
		out,
		"SIP/2.0 503 Service Unavailable\r\n"
		"Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown, SIP/2.0/UDP p;branch=z9hG4bKp\r\n"
		"Via: SIP/2.0/UDP c;branch=z9hG4bKc\r\n"
		"From: Alice <sip:alice@a.example.com>;tag=88sja8x\r\n"
		"To: Bob <sip:bob@b.example.com>;tag=us\r\n"
		"Call-ID: 987asjd97y7atg\r\n"
		"CSeq: 986759 INVITE\r\n"
		"Content-Length: 0\r\n"
		"\r\n");
}

Test(build, response_100_has_no_tag_and_the_timestamp_rfc3261_8_2_6_1)
{
	const struct sip_response_opts opts = { .to_tag = NULL };

	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_assert_eq(reparse(respond(sizeof(out), 100, &opts)), SIP_OK);
	cr_expect_eq(built.to_tag.len, 0);
	cr_expect_not_null(strstr(out, "\r\nTimestamp: 54.25\r\n"));
	cr_expect_not_null(strstr(out, "SIP/2.0 100 Trying\r\n"));
}

Test(build, response_keeps_a_to_tag_rfc3261_8_2_6_2)
{
	const struct sip_response_opts opts = { .to_tag = "us" };

	cr_assert_eq(parse("BYE sip:b@h SIP/2.0\r\n" VIA FROM "To: <sip:b@h>;tag=theirs\r\n"
			   "Call-ID: c\r\nCSeq: 2 BYE\r\n\r\n"),
		     SIP_OK);
	cr_assert_eq(reparse(respond(sizeof(out), 481, &opts)), SIP_OK);
	cr_expect(sip_span_is(built.buf, built.to_tag, "theirs"));
	cr_expect_null(strstr(out, "tag=us"));
}

Test(build, response_marks_the_top_via_rfc3581_4)
{
	const struct sip_response_opts opts = { .to_tag = "us",
						.received = "2001:db8::7",
						.rport = 4242,
						.reason = "Busy now",
						.headers = "Retry-After: 9\r\nX: y\r\n" };
	struct sip_via_iter it;
	struct sip_via v;

	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_assert_eq(reparse(respond(sizeof(out), 486, &opts)), SIP_OK);
	cr_expect(sip_span_is(built.buf, built.reason, "Busy now"));
	cr_expect(sip_span_is(built.buf, built.via.received, "2001:db8::7"));
	cr_expect(sip_span_is(built.buf, built.via.rport, "4242"));
	cr_expect(sip_span_is(built.buf, built.via.branch, "z9hG4bKown"));
	cr_expect(sip_msg_has(&built, SIP_HDR_RETRY_AFTER));
	sip_via_iter_init(&it, &built);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(sip_via_iter_next(&it, &v), 1);
		cr_expect_eq(v.has_received, i == 0);
	}
	cr_expect_eq(sip_via_iter_next(&it, &v), 0);
}

Test(build, response_to_a_malformed_request_rfc3261_16_3)
{
	static const char *const rows[] = {
		"OPTIONS  sip:b@h SIP/2.0\r\n" VIA FROM TO REST "\r\n",
		"OPTIONS sip:b@h SIP/7.0\r\n" VIA FROM TO REST "\r\n",
		WITH("Max-Forwards: x\r\n"),
		WITH("Content-Length: 1000\r\n"),
		WITH("no colon\r\n"),
		WITH(FROM),
	};
	const struct sip_response_opts opts = { .to_tag = "us" };

	for (size_t i = 0; i < n_rows(rows); i++) {
		cr_expect_neq(parse(rows[i]), SIP_OK, "%s", rows[i]);
		cr_expect_eq(reparse(respond(sizeof(out), 400, &opts)), SIP_OK, "%s", rows[i]);
		cr_expect_eq(built.status, 400);
		cr_expect_eq(built.method, SIP_METHOD_OPTIONS);
	}
}

Test(build, no_response_to_what_cannot_be_answered_rfc3261_8_2_6_2_and_17_1_1_3)
{
	static const char *const rows[] = {
		"ACK sip:b@h SIP/2.0\r\n" VIA FROM TO "Call-ID: c\r\nCSeq: 1 ACK\r\n\r\n",
		"SIP/2.0 200 OK\r\n" VIA FROM TO REST "\r\n",
		WITH_VIA("rubbish"),
		WITH_FROM(""),
		"OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO "CSeq: 1 OPTIONS\r\n\r\n",
		"hello",
		"",
	};
	const struct sip_response_opts opts = { .to_tag = "us" };

	for (size_t i = 0; i < n_rows(rows); i++) {
		parse(rows[i]);
		cr_expect_eq(respond(sizeof(out), 400, &opts), -EINVAL, "%s", rows[i]);
	}
	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_expect_eq(respond(sizeof(out), 99, &opts), -EINVAL);
	cr_expect_eq(respond(sizeof(out), 700, &opts), -EINVAL);
}

Test(build, response_fits_or_is_refused_at_every_size)
{
	const struct sip_response_opts opts = { .to_tag = "us",
						.received = "192.0.2.1",
						.rport = 1 };
	int n;

	cr_assert_eq(parse(INVITE), SIP_OK);
	n = respond(sizeof(out), 503, &opts);
	for (int size = 0; size < n; size++) {
		out[size] = 'x';
		cr_expect_eq(respond((size_t)size, 503, &opts), -ENOSPC, "%d", size);
		cr_expect_eq(out[size], 'x', "written beyond %d", size);
	}
	cr_expect_eq(respond((size_t)n, 503, &opts), n);
}

Test(build, folded_and_bare_line_feeds_become_a_good_response)
{
	const struct sip_response_opts opts = { .to_tag = "us" };

	cr_assert_eq(parse("OPTIONS sip:b@h SIP/2.0\nVia: SIP/2.0/UDP\r\n h\nFrom:\r\n <sip:a@h>"
			   "\r\n ;tag=1\r\nTo: sip:b@h\nCall-ID: c\nCSeq: 1\r\n OPTIONS\n\n"),
		     SIP_OK);
	cr_expect_eq(reparse(respond(sizeof(out), 200, &opts)), SIP_OK);
	cr_expect(sip_span_is(built.buf, built.to_tag, "us"));
	cr_expect(sip_span_is(built.buf, built.to_uri, "sip:b@h"));
	cr_expect(sip_span_is(built.buf, built.via.host, "h"));
}

Test(build, ack_for_a_non_2xx_rfc3261_17_1_1_3)
{
	static struct sip_msg resp;
	static const char text[] = "SIP/2.0 486 Busy Here\r\n"
				   "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
				   "From: <sip:other@h>\r\n"
				   "To: Bob <sip:bob@b.example.com>;tag=8321234356\r\n"
				   "Call-ID: 987asjd97y7atg\r\nCSeq: 986759 INVITE\r\n\r\n";

	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_assert_eq(sip_msg_parse(&resp, (const uint8_t *)text, sizeof(text) - 1), SIP_OK);
	cr_assert_eq(reparse(sip_build_ack((uint8_t *)out, sizeof(out), &msg, &resp)), SIP_OK);
	cr_expect_str_eq(out, "ACK sip:bob@b.example.com SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
			      "Max-Forwards: 70\r\n"
			      "Route: <sip:r1;lr>\r\n"
			      "Route: <sip:r2;lr>,<sip:r3>\r\n"
			      "From: Alice <sip:alice@a.example.com>;tag=88sja8x\r\n"
			      "To: Bob <sip:bob@b.example.com>;tag=8321234356\r\n"
			      "Call-ID: 987asjd97y7atg\r\n"
			      "CSeq: 986759 ACK\r\n"
			      "Content-Length: 0\r\n"
			      "\r\n");
}

Test(build, cancel_rfc3261_9_1)
{
	cr_assert_eq(parse(INVITE), SIP_OK);
	cr_assert_eq(reparse(sip_build_cancel((uint8_t *)out, sizeof(out), &msg)), SIP_OK);
	cr_expect_str_eq(out, "CANCEL sip:bob@b.example.com SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
			      "Max-Forwards: 70\r\n"
			      "Route: <sip:r1;lr>\r\n"
			      "Route: <sip:r2;lr>,<sip:r3>\r\n"
			      "From: Alice <sip:alice@a.example.com>;tag=88sja8x\r\n"
			      "To: Bob <sip:bob@b.example.com>\r\n"
			      "Call-ID: 987asjd97y7atg\r\n"
			      "CSeq: 986759 CANCEL\r\n"
			      "Content-Length: 0\r\n"
			      "\r\n");
}

Test(build, ack_and_cancel_are_for_an_invite_and_fit_or_are_refused)
{
	static struct sip_msg bad;
	int n;

	cr_assert_eq(parse(INVITE), SIP_OK);
	sip_msg_parse(&bad, (const uint8_t *)"x", 1);
	cr_expect_eq(sip_build_ack((uint8_t *)out, sizeof(out), &msg, &bad), -EINVAL);
	n = sip_build_cancel((uint8_t *)out, sizeof(out), &msg);
	cr_expect_eq(sip_build_cancel((uint8_t *)out, (size_t)n - 1, &msg), -ENOSPC);
	n = sip_build_ack((uint8_t *)out, sizeof(out), &msg, &msg);
	cr_expect_eq(sip_build_ack((uint8_t *)out, (size_t)n - 1, &msg, &msg), -ENOSPC);
	cr_assert_eq(parse(WITH("")), SIP_OK);
	cr_expect_eq(sip_build_cancel((uint8_t *)out, sizeof(out), &msg), -EINVAL);
	cr_expect_eq(sip_build_ack((uint8_t *)out, sizeof(out), &msg, &msg), -EINVAL);
}

Test(build, reason_phrases_rfc3261_21)
{
	static const struct {
		unsigned int status;
		const char *reason;
	} rows[] = {
		{ 100, "Trying" },
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 408, "Request Timeout" },
		{ 416, "Unsupported URI Scheme" },
		{ 420, "Bad Extension" },
		{ 482, "Loop Detected" },
		{ 483, "Too Many Hops" },
		{ 500, "Server Internal Error" },
		{ 503, "Service Unavailable" },
		{ 505, "Version Not Supported" },
		{ 513, "Message Too Large" },
		{ 299, "" },
		{ 0, "" },
		{ 700, "" },
	};

	for (size_t i = 0; i < n_rows(rows); i++)
		cr_expect_str_eq(sip_reason(rows[i].status), rows[i].reason);
}
