/* URIs, hosts, addresses and parameters. */
#include "sip/sip_uri.h"
#include "tests/sip/guard.h"

#include <criterion/criterion.h>
#include <string.h>

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard, 4096);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

TestSuite(uri, .init = set_up, .fini = tear_down);

Test(uri, parts_rfc3261_19_1_1)
{
	static const struct {
		const char *text;
		enum sip_scheme scheme;
		const char *user, *host, *params, *headers;
		uint16_t port;
	} rows[] = {
		{ "sip:alice@atlanta.com", SIP_SCHEME_SIP, "alice", "atlanta.com", "", "", 0 },
		{ "sip:alice:secretword@atlanta.com;transport=tcp", SIP_SCHEME_SIP, "alice",
		  "atlanta.com", ";transport=tcp", "", 0 },
		{ "sips:alice@atlanta.com?subject=project%20x&priority=urgent", SIP_SCHEME_SIPS,
		  "alice", "atlanta.com", "", "subject=project%20x&priority=urgent", 0 },
		{ "sip:+1-212-555-1212:1234@gateway.com;user=phone", SIP_SCHEME_SIP,
		  "+1-212-555-1212", "gateway.com", ";user=phone", "", 0 },
		{ "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", SIP_SCHEME_SIP, "",
		  "atlanta.com", ";method=REGISTER", "to=alice%40atlanta.com", 0 },
		{ "sip:alice;day=tuesday@atlanta.com", SIP_SCHEME_SIP, "alice;day=tuesday",
		  "atlanta.com", "", "", 0 },
		{ "SIP:[2001:db8::10]:5070", SIP_SCHEME_SIP, "", "[2001:db8::10]", "", "", 5070 },
		{ "tel:+358-555-1234567;postd=pp22", SIP_SCHEME_TEL, "+358-555-1234567", "",
		  ";postd=pp22", "", 0 },
		{ "urn:service:sos.fire", SIP_SCHEME_URN, "service:sos.fire", "", "", "", 0 },
		{ "soap.beep://192.0.2.103:3002", SIP_SCHEME_OTHER, "", "", "", "", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		const uint8_t *b = guard_copy(&guard, rows[i].text, len);
		struct sip_uri u;

		cr_assert_eq(sip_uri_parse(b, (struct sip_span){ 0, (uint16_t)len }, &u), 0, "%s",
			     rows[i].text);
		cr_expect_eq(u.scheme, rows[i].scheme, "%s", rows[i].text);
		cr_expect(sip_span_is(b, u.user, rows[i].user), "user of %s", rows[i].text);
		cr_expect(sip_span_is(b, u.host, rows[i].host), "host of %s", rows[i].text);
		cr_expect(sip_span_is(b, u.params, rows[i].params), "params of %s", rows[i].text);
		cr_expect(sip_span_is(b, u.headers, rows[i].headers), "headers of %s",
			  rows[i].text);
		cr_expect_eq(u.port, rows[i].port, "port of %s", rows[i].text);
	}
}

Test(uri, malformed_rfc3261_25_1)
{
	static const char *const rows[] = { "",
					    "sip",
					    "sip:",
					    "sip:a@",
					    "sip:a@b@c",
					    "sip:[::1",
					    "sip:a@b:x",
					    "sip:a@b:",
					    "sip:a@b:65536",
					    "sip:a b@c",
					    "<sip:a@b>",
					    "sip:a@2001:db8::1",
					    "sip:%zz@b",
					    "sip:a%4@b",
					    "1sip:a@b",
					    "tel:",
					    "sip:a@[1::2::3]" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i]);
		const uint8_t *b = guard_copy(&guard, rows[i], len);
		struct sip_uri u;

		cr_expect_neq(sip_uri_parse(b, (struct sip_span){ 0, (uint16_t)len }, &u), 0, "%s",
			      rows[i]);
	}
}
