/* Messages built from a parsed request. */
#include "sip/sip_build.h"
#include "tests/sip/samples.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct sip_msg msg, built;
static uint8_t out[4096];

static void parse(const char *text)
{
	cr_assert_eq(sip_msg_parse(&msg, (const uint8_t *)text, strlen(text)), SIP_OK);
}

Test(build, response_rfc3261_8_2_6)
{
	const struct sip_response_opts opts = { .to_tag = "us",
						.received = "192.0.2.7",
						.rport = 4242,
						.headers = "Retry-After: 9\r\n" };
	int n;

	parse(SAMPLE_INVITE);
	n = sip_build_response(out, sizeof(out), &msg, 503, &opts);
	cr_assert_gt(n, 0);
	cr_assert_eq(sip_msg_parse(&built, out, (size_t)n), SIP_OK);
	cr_expect_eq(built.status, 503);
	cr_expect(sip_span_is(out, built.reason, "Service Unavailable"));
	cr_expect(sip_span_is(out, built.to_tag, "us"));
	cr_expect(sip_span_is(out, built.via.received, "192.0.2.7"));
	cr_expect(sip_span_is(out, built.via.rport, "4242"));
	cr_expect(sip_msg_has(&built, SIP_HDR_RETRY_AFTER));
	cr_expect_eq(sip_build_response(out, (size_t)n - 1, &msg, 503, &opts), -ENOSPC);
}

Test(build, ack_and_cancel_rfc3261_17_1_1_3_and_9_1)
{
	struct sip_msg resp;
	int n;

	parse(SAMPLE_INVITE);
	n = sip_build_cancel(out, sizeof(out), &msg);
	cr_assert_gt(n, 0);
	cr_assert_eq(sip_msg_parse(&built, out, (size_t)n), SIP_OK);
	cr_expect_eq(built.method, SIP_METHOD_CANCEL);
	cr_expect_eq(built.cseq, 314159);
	cr_assert_eq(sip_msg_parse(&resp, (const uint8_t *)SAMPLE_OK, strlen(SAMPLE_OK)), SIP_OK);
	n = sip_build_ack(out, sizeof(out), &msg, &resp);
	cr_assert_gt(n, 0);
	cr_assert_eq(sip_msg_parse(&built, out, (size_t)n), SIP_OK);
	cr_expect_eq(built.method, SIP_METHOD_ACK);
	cr_expect(sip_span_is(out, built.to_tag, "a6c85cf"));
	cr_expect(sip_span_is(out, built.via.branch, "z9hG4bKnashds8"));
}
