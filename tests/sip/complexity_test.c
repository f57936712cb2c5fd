/*
 * SIP_WALK_MAX: as many values and parameters are read, one more is malformed. What the limits are
 * for is counted by complexity_run.py.
 */
#include "sip/sip_uri.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HEAD                                                                              \
	"BYE sip:a@b SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\n" \
	"CSeq: 1 BYE\r\n"
#define VIA "Via: SIP/2.0/UDP a"

static char text[SIP_MSG_MAX];
static struct sip_msg msg;

/* before, then n times the unit, then after. */
static enum sip_result parse_repeated(const char *before, const char *unit, unsigned int n,
				      const char *after)
{
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", before);

	while (n-- > 0)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", unit);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", after);
	cr_assert_lt(len, sizeof(text));
	return sip_msg_parse(&msg, (const uint8_t *)text, len);
}

static int walk_vias(unsigned int *n)
{
	struct sip_via_iter it;
	struct sip_via via;
	int r;

	sip_via_iter_init(&it, &msg);
	for (*n = 0; (r = sip_via_iter_next(&it, &via)) == 1;)
		*n += 1;
	return r;
}

static int walk_routes(unsigned int *n)
{
	struct sip_addr_iter it;
	struct sip_addr addr;
	int r;

	sip_addr_iter_init(&it, &msg, SIP_HDR_ROUTE);
	for (*n = 0; (r = sip_addr_iter_next(&it, &addr)) == 1;)
		*n += 1;
	return r;
}

Test(complexity, via_values)
{
	unsigned int n;

	cr_assert_eq(parse_repeated(HEAD VIA, ",SIP/2.0/UDP a", SIP_WALK_MAX - 1, "\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(walk_vias(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX);
	cr_assert_eq(parse_repeated(HEAD VIA, ",SIP/2.0/UDP a", SIP_WALK_MAX, "\r\n\r\n"), SIP_OK);
	cr_expect_lt(walk_vias(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX);
}

Test(complexity, via_values_and_parameters)
{
	unsigned int n;

	cr_assert_eq(parse_repeated(HEAD VIA ";x;y;z\r\n" VIA, ",SIP/2.0/UDP a;x;y;z",
				    SIP_WALK_MAX / 4 - 2, ";x;y;z\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(walk_vias(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX / 4);
	cr_assert_eq(parse_repeated(HEAD VIA ";x;y;z;too-many\r\n" VIA, ",SIP/2.0/UDP a;x;y;z",
				    SIP_WALK_MAX / 4 - 2, ";x;y;z\r\n\r\n"),
		     SIP_OK);
	cr_expect_lt(walk_vias(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX / 4 - 1);
}

Test(complexity, route_values)
{
	unsigned int n;

	cr_assert_eq(parse_repeated(HEAD VIA "\r\nRoute: <sip:a>", ",<sip:a>", SIP_WALK_MAX - 1,
				    "\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(walk_routes(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX);
	cr_assert_eq(parse_repeated(HEAD VIA "\r\nRoute: <sip:a;lr>", ",<sip:a>", SIP_WALK_MAX - 1,
				    "\r\n\r\n"),
		     SIP_OK);
	cr_expect_lt(walk_routes(&n), 0);
	cr_expect_eq(n, SIP_WALK_MAX - 1);
}

Test(complexity, parameters_of_one)
{
	static const char from[] =
		"BYE sip:a@b SIP/2.0\r\n" VIA "\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\n"
		"CSeq: 1 BYE\r\nFrom: <sip:a@b>";
	struct sip_uri uri;

	cr_expect_eq(parse_repeated(HEAD VIA, ";x", SIP_WALK_MAX, "\r\n\r\n"), SIP_OK);
	cr_expect_eq(parse_repeated(HEAD VIA, ";x", SIP_WALK_MAX + 1, "\r\n\r\n"), SIP_ERR_VIA);
	cr_expect_eq(parse_repeated(from, ";x", SIP_WALK_MAX, "\r\n\r\n"), SIP_OK);
	cr_expect_eq(parse_repeated(from, ";x", SIP_WALK_MAX + 1, "\r\n\r\n"), SIP_ERR_FROM);
	cr_assert_eq(parse_repeated("BYE sip:a@b", ";x", SIP_WALK_MAX - 1,
				    " SIP/2.0\r\n" VIA "\r\nFrom: <sip:a@b>\r\nTo: <sip:b@c>\r\n"
				    "Call-ID: 1\r\nCSeq: 1 BYE\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(sip_uri_parse(msg.buf, msg.uri, &uri), 0);
	cr_assert_eq(parse_repeated("BYE sip:a@b", ";x", SIP_WALK_MAX,
				    " SIP/2.0\r\n" VIA "\r\nFrom: <sip:a@b>\r\nTo: <sip:b@c>\r\n"
				    "Call-ID: 1\r\nCSeq: 1 BYE\r\n\r\n"),
		     SIP_OK);
	cr_expect_lt(sip_uri_parse(msg.buf, msg.uri, &uri), 0);
}

Test(complexity, strings_of_one)
{
	static const char from[] =
		"BYE sip:a@b SIP/2.0\r\n" VIA "\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\n"
		"CSeq: 1 BYE\r\nFrom: ";
	unsigned int n;

	cr_expect_eq(parse_repeated(from, "\"x\"", SIP_WALK_MAX, "<sip:a@b>\r\n\r\n"), SIP_OK);
	cr_expect_eq(parse_repeated(from, "\"x\"", SIP_WALK_MAX + 1, "<sip:a@b>\r\n\r\n"),
		     SIP_ERR_FROM);
	cr_assert_eq(
		parse_repeated(HEAD VIA "\r\nRoute: ", "\"x\"", SIP_WALK_MAX, "<sip:a@b>\r\n\r\n"),
		SIP_OK);
	cr_expect_eq(walk_routes(&n), 0);
	cr_expect_eq(n, 1);
	cr_assert_eq(parse_repeated(HEAD VIA "\r\nRoute: ", "\"x\"", SIP_WALK_MAX + 1,
				    "<sip:a@b>\r\n\r\n"),
		     SIP_OK);
	cr_expect_lt(walk_routes(&n), 0);
}

Test(complexity, tokens_of_a_list)
{
	cr_assert_eq(
		parse_repeated(HEAD VIA "\r\nSupported: ", "a,", SIP_WALK_MAX - 1, "last\r\n\r\n"),
		SIP_OK);
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_SUPPORTED, "last"));
	cr_assert_eq(parse_repeated(HEAD VIA "\r\nSupported: ", "a,", SIP_WALK_MAX, "last\r\n\r\n"),
		     SIP_OK);
	cr_expect_not(sip_msg_list_has(&msg, SIP_HDR_SUPPORTED, "last"));
}

/* Lines that are no header count as headers. */
Test(complexity, lines)
{
	cr_expect_eq(parse_repeated(HEAD VIA "\r\n", "no header\n", SIP_HDR_MAX - 5, "\r\n"),
		     SIP_ERR_HEADER_NAME);
	cr_expect_eq(msg.n_hdrs, 5);
	cr_expect_eq(msg.body_off, msg.len);
	cr_expect_eq(parse_repeated(HEAD VIA "\r\n", "no header\n", SIP_HDR_MAX - 4, "\r\n"),
		     SIP_ERR_HEADER_NAME);
	cr_expect_eq(msg.body_off, 0);
}
