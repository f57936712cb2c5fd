/* URIs, hosts, addresses and parameters. */
#include "sip/sip_uri.h"
#include "tests/sip/guard.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
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
					    "sip:a@b;x=c@d",
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

static int ip_of(const char *text, struct sip_ip *ip)
{
	size_t len = strlen(text);

	return sip_host_ip(guard_copy(&guard, text, len), (struct sip_span){ 0, (uint16_t)len },
			   ip);
}

static bool good_for_inet_pton(const char *text)
{
	char copy[64];
	uint8_t b[16];
	size_t len = strlen(text);

	if (text[0] == '[') {
		if (len < 2 || text[len - 1] != ']')
			return false;
		snprintf(copy, sizeof(copy), "%.*s", (int)len - 2, text + 1);
		return inet_pton(AF_INET6, copy, b) == 1;
	}
	return inet_pton(AF_INET, text, b) == 1 || inet_pton(AF_INET6, text, b) == 1;
}

/* The system's inet_pton is the oracle for all but leading zeros in IPv4. */
Test(uri, ip_literals_rfc3261_25_1_rfc4291_2_2)
{
	static const char *const rows[] = {
		"192.0.2.1",
		"0.0.0.0",
		"255.255.255.255",
		"256.0.0.1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.4.",
		"1..2.3",
		".1.2.3",
		"1.2.3.x",
		"1234.1.1.1",
		"0001.2.3.4",
		"",
		"localhost",
		"::",
		"::1",
		"1::",
		"2001:db8::9:1",
		"2001:DB8::9:1",
		"2001:db8:0:0:0:0:9:1",
		"2001:db8::0:0:0:0:9:1",
		"1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8",
		"1::3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8",
		"1::2::3",
		":::",
		"::1:",
		":1::2",
		"1:::2",
		"12345::",
		"::g",
		"::ffff:192.0.2.1",
		"::192.0.2.1",
		"1:2:3:4:5:6:192.0.2.1",
		"1:2:3:4:5:6:7:192.0.2.1",
		"1:2:3:4:5:192.0.2.1",
		"::192.0.2.1:5",
		"::192.0.2",
		"fe80::1%eth0",
		"[::1]",
		"[2001:db8::1]",
		"[::1",
		"::1]",
		"[]",
		"[192.0.2.1]",
		"[::1]x",
		":",
		"1",
		"[:]",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_ip ip, untouched;
		uint8_t b[16];

		memset(&ip, 0x5a, sizeof(ip));
		untouched = ip;
		cr_expect_eq(ip_of(rows[i], &ip) == 0, good_for_inet_pton(rows[i]), "%s", rows[i]);
		if (inet_pton(AF_INET6, rows[i], b) == 1)
			cr_expect_eq(memcmp(b, ip.b, 16), 0, "%s", rows[i]);
		else if (inet_pton(AF_INET, rows[i], b) == 1)
			cr_expect_eq(memcmp(b, ip.b + 12, 4), 0, "%s", rows[i]);
		else if (rows[i][0] != '[')
			cr_expect_eq(memcmp(&untouched, &ip, sizeof(ip)), 0, "%s", rows[i]);
	}
}

Test(uri, ipv4_and_its_mapped_form_are_one_address)
{
	struct sip_ip a, b;

	cr_assert_eq(ip_of("192.0.2.1", &a), 0);
	cr_assert_eq(ip_of("[::ffff:192.0.2.1]", &b), 0);
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
	cr_assert_eq(ip_of("192.000.002.001", &b), 0, "1*3DIGIT, never octal");
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
}

Test(uri, users_compared_with_escapes_decoded_rfc3261_19_1_4)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "alice", "alice", true },
		{ "%61lice", "alice", true },
		{ "alice", "%61LICE", false },
		{ "Alice", "alice", false },
		{ "al%2Fice", "al/ice", true },
		{ "a%2f", "a%2F", true },
		{ "a%00b", "a%00b", true },
		{ "a%00b", "a", false },
		{ "alice", "alic", false },
		{ "", "", true },
		{ "", "a", false },
		{ "a%", "a%", true },
		{ "a%6", "a%6", true },
		{ "%zz", "%zz", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_span a = { 0, (uint16_t)strlen(rows[i].a) };
		struct sip_span b = { 0, (uint16_t)strlen(rows[i].b) };
		char other[16];

		memcpy(other, rows[i].b, b.len);
		cr_expect_eq(sip_user_equal(guard_copy(&guard, rows[i].a, a.len), a,
					    (const uint8_t *)other, b),
			     rows[i].equal, "%s and %s", rows[i].a, rows[i].b);
	}
}

Test(uri, user_flag_and_password_rfc3261_19_1_1)
{
	struct sip_uri u;

	cr_assert_eq(sip_uri_parse((const uint8_t *)"sip:@h", (struct sip_span){ 0, 6 }, &u), 0);
	cr_expect(u.has_user);
	cr_expect_eq(u.user.len, 0);
	cr_assert_eq(sip_uri_parse((const uint8_t *)"sip:a:b:c@h", (struct sip_span){ 0, 11 }, &u),
		     0);
	cr_expect_eq(u.user.len, 1);
	cr_expect_eq(u.password.off, 6);
	cr_expect_eq(u.password.len, 3);
	cr_assert_eq(sip_uri_parse((const uint8_t *)"sip:h", (struct sip_span){ 0, 5 }, &u), 0);
	cr_expect_not(u.has_user);
}
