/* Edits on parsed messages. */
#include "sip/sip_edit.h"
#include "tests/sip/guard.h"
#include "tests/sip/samples.h"

#include <criterion/criterion.h>
#include <string.h>

static struct guard guard;
static struct sip_msg msg, after;
static struct sip_edits es;
static uint8_t out[4096];

static void set_up(void)
{
	guard_init(&guard, 8192);
	sip_edits_init(&es);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

TestSuite(edit, .init = set_up, .fini = tear_down);

static void parse(const char *text)
{
	size_t len = strlen(text);

	cr_assert_eq(sip_msg_parse(&msg, guard_copy(&guard, text, len), len), SIP_OK);
}

static const char *apply(void)
{
	int n = sip_edits_apply(&es, msg.buf, msg.len, out, sizeof(out) - 1);

	cr_assert_geq(n, 0);
	cr_expect_eq((size_t)n, sip_edits_len(&es, msg.len));
	out[n] = '\0';
	cr_expect_eq(sip_msg_parse(&after, out, (size_t)n), SIP_OK);
	return (const char *)out;
}

Test(edit, no_edit_gives_the_same_bytes)
{
	parse(SAMPLE_INVITE);
	cr_expect_str_eq(apply(), SAMPLE_INVITE);
}

Test(edit, pop_via_from_a_list_rfc3261_16_7)
{
	struct sip_via_iter it;
	struct sip_via via;

	parse(SAMPLE_OK);
	cr_assert_eq(sip_edit_pop_via(&es, &msg), 0);
	apply();
	sip_via_iter_init(&it, &after);
	cr_assert_eq(sip_via_iter_next(&it, &via), 1);
	cr_expect(sip_span_is(out, via.host, "[2001:db8::9:1]"));
	cr_expect_eq(after.n_hdrs, msg.n_hdrs);
}

Test(edit, pop_via_line_rfc3261_16_7)
{
	parse(SAMPLE_INVITE);
	cr_assert_eq(sip_edit_pop_via(&es, &msg), 0);
	sip_edits_apply(&es, msg.buf, msg.len, out, sizeof(out));
	cr_expect_eq(sip_msg_parse(&after, out, sip_edits_len(&es, msg.len)), SIP_ERR_MISSING_VIA);
	cr_expect_eq(after.n_hdrs, msg.n_hdrs - 1);
}

Test(edit, push_via_and_received_rfc3261_16_6_rfc3581_4)
{
	static const char via[] = "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n";
	struct sip_via_iter it;
	struct sip_via v;
	char scratch[80], mf[32];

	parse(SAMPLE_INVITE);
	cr_assert_eq(sip_edit_push_top(&es, &msg, via, sizeof(via) - 1), 0);
	cr_assert_eq(sip_edit_via_received(&es, &msg, scratch, "192.0.2.77", 10, 40000), 0);
	cr_assert_eq(sip_edit_max_forwards(&es, &msg, mf, 69), 0);
	apply();
	cr_expect_eq(after.max_forwards, 69);
	sip_via_iter_init(&it, &after);
	cr_assert_eq(sip_via_iter_next(&it, &v), 1);
	cr_expect(sip_span_is(out, v.branch, "z9hG4bKown"));
	cr_assert_eq(sip_via_iter_next(&it, &v), 1);
	cr_expect(sip_span_is(out, v.received, "192.0.2.77"));
	cr_expect(sip_span_is(out, v.rport, "40000"));
	cr_expect(sip_span_is(out, v.branch, "z9hG4bKnashds8"));
	cr_expect_eq(sip_via_iter_next(&it, &v), 0);
}
