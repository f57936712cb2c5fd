/*
 * The quick readers of plain URIs, Vias and IP literals against the whole ones, and what they are
 * built on by instructions against plain C. RFC 3261 19.1, 20.42, 25.1.
 */
#include "dataplane/steer/steer_plain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/steer/steer_internal.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

TestSuite(steer_plain, .fini = leaks_check);

/* Whether it is plain, and, if so, read as sip_uri_parse() reads it. */
static bool is_plain(const char *text, size_t len, bool *same)
{
	static uint8_t buf[256];
	struct sip_msg m = { .buf = buf };
	struct sip_span s = { 7, (uint16_t)len };
	struct sip_uri a, b;

	memset(buf, 'x', sizeof(buf));
	memcpy(buf + s.off, text, len);
	m.len = (uint32_t)(s.off + len + STEER_PLAIN_STEP);
	memset(&a, 0x55, sizeof(a));
	if (!steer_plain_uri(&m, s, &a))
		return false;
	*same = sip_uri_parse(buf, s, &b) == 0 && a.scheme == b.scheme && a.port == b.port
		&& a.has_user == b.has_user && memcmp(&a.whole, &b.whole, sizeof(a.whole)) == 0
		&& memcmp(&a.host, &b.host, sizeof(a.host)) == 0 && a.user.len == b.user.len
		&& (a.user.len == 0 || a.user.off == b.user.off) && a.password.len == b.password.len
		&& a.params.len == b.params.len && a.headers.len == b.headers.len;
	return true;
}

static const struct {
	const char *text;
	bool plain;
} rows[] = {
	{ "sip:bob@example.com", true },
	{ "sip:+49-30.1_x@EXAMPLE.com", true },
	{ "sip:bob@192.0.2.1:5062", true },
	{ "sip:example.com", true },
	{ "sip:example.com:65535", true },
	{ "sip:a@b", true },
	{ "sip:a@b:0", true },
	{ "sip:a", true },
	{ "sip:123456789012345678901234567890@12345678901234567890123456789.org", true },
	{ "sip:1234567890123456789012345678901@12345678901234567890123456789.org", false },
	{ "sip:", false },
	{ "sip:@b", false },
	{ "sip:a@", false },
	{ "sip:a@b:", false },
	{ "sip:a@b:65536", false },
	{ "sip:a@b:000080", false },
	{ "sip:a@b:5x", false },
	{ "sip:a@b@c", false },
	{ "sip:a:pw@b", false },
	{ "sip:a:1@b", false },
	{ "sip:%61@b", false },
	{ "sip:a@b;lr", false },
	{ "sip:a@b?x=1", false },
	{ "sip:a@b+c", false },
	{ "sip:a@b_c", false },
	{ "sip:a+b", false },
	{ "sip:a@[2001:db8::1]", false },
	{ "SIP:a@b", false },
	{ "sips:a@b", false },
	{ "tel:+4930", false },
	{ "sip", false },
};

Test(steer_plain, what_is_plain_is_read_as_by_the_whole_reader)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool same = true;

		cr_expect_eq(is_plain(rows[i].text, strlen(rows[i].text), &same), rows[i].plain,
			     "%s", rows[i].text);
		cr_expect(same, "%s", rows[i].text);
	}
}

/* Every byte at every place of a URI. */
Test(steer_plain, any_byte_anywhere)
{
	static const char text[] = "sip:al.ice-1@host.example.com:5060";
	unsigned int n = 0;

	for (size_t at = 0; at < sizeof(text) - 1; at++)
		for (unsigned int byte = 0; byte < 256; byte++) {
			char changed[sizeof(text)];
			bool same = true;

			memcpy(changed, text, sizeof(text));
			changed[at] = (char)byte;
			n += is_plain(changed, sizeof(text) - 1, &same);
			cr_expect(same, "%02x at %zu", byte, at);
		}
	cr_expect(n > 1500, "only %u were plain", n);
}

/* What cannot be read in whole steps is left to the other reader. */
Test(steer_plain, nothing_behind_the_message_is_read)
{
	static const char text[] = "sip:a@b.example";
	struct sip_span s = { 0, sizeof(text) - 1 };
	struct sip_uri uri;
	struct sip_msg m;
	struct guard g;

	guard_init(&g, 256);
	for (size_t behind = 0; behind <= 2 * STEER_PLAIN_STEP; behind++) {
		uint8_t bytes[sizeof(text) + 2 * STEER_PLAIN_STEP];

		memset(bytes, ' ', sizeof(bytes));
		memcpy(bytes, text, sizeof(text) - 1);
		m.len = (uint32_t)(sizeof(text) - 1 + behind);
		m.buf = guard_copy(&g, bytes, m.len);
		cr_expect_eq(steer_plain_uri(&m, s, &uri), behind >= STEER_PLAIN_STEP, "%zu",
			     behind);
	}
	guard_fini(&g);
}

/* ---- IP literals ---- */

static void same_ip(const char *text, size_t len)
{
	static uint8_t buf[64];
	struct sip_span s = { 3, (uint16_t)len };
	struct sip_ip a, b;
	int ra, rb;

	memset(buf, '.', sizeof(buf));
	memcpy(buf + s.off, text, len);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	ra = steer_host_ip(buf, s, &a);
	rb = sip_host_ip(buf, s, &b);
	if (ra != rb || memcmp(&a, &b, sizeof(a)) != 0)
		cr_expect_fail("%.*s: %d, %d", (int)len, text, ra, rb);
}

Test(steer_plain, ip_literals_are_read_as_by_the_whole_reader)
{
	static const char *const texts[] = {
		"0.0.0.0",
		"255.255.255.255",
		"256.1.1.1",
		"1.2.3.400",
		"1.2.3",
		"1.2.3.4.5",
		"1..2.3",
		"001.002.003.004",
		"0001.2.3.4",
		"1.2.3.4.",
		"",
		"1",
		"1.2.3.x",
		"[::1]",
		"2001:db8::1",
		"::ffff:1.2.3.4",
		"host.example.com",
	};
	static const char text[] = "198.51.100.25";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		same_ip(texts[i], strlen(texts[i]));
	for (size_t at = 0; at < sizeof(text) - 1; at++)
		for (unsigned int byte = 0; byte < 256; byte++) {
			char changed[sizeof(text)];

			memcpy(changed, text, sizeof(text));
			changed[at] = (char)byte;
			for (size_t len = at; len < sizeof(text); len++)
				same_ip(changed, len);
		}
}

/* ---- Via ---- */

static bool same_span(struct sip_span a, struct sip_span b)
{
	return a.len == b.len && (a.len == 0 || a.off == b.off);
}

static bool same_via(const struct sip_via *a, const struct sip_via *b)
{
	return same_span(a->value, b->value) && same_span(a->transport, b->transport)
	       && same_span(a->host, b->host) && same_span(a->branch, b->branch)
	       && same_span(a->received, b->received) && same_span(a->rport, b->rport)
	       && same_span(a->maddr, b->maddr) && same_span(a->ttl, b->ttl)
	       && same_span(a->params, b->params) && a->port == b->port
	       && a->has_rport == b->has_rport && a->has_received == b->has_received
	       && same_span(a->rport_param, b->rport_param)
	       && same_span(a->received_param, b->received_param);
}

/* Whether the second Via of a response is plain, and, if so, read as by the iterator. */
static bool is_plain_via(const char *value, bool *same)
{
	static struct sip_msg m;
	static char text[1024];
	struct sip_via_iter it;
	struct sip_via a, b;
	int n = snprintf(text, sizeof(text),
			 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKx\r\n"
			 "Via: %s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\n"
			 "Call-ID: x@y.example.com\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
			 value);

	/* What has line ends or commas in it is another header or list. */
	if (sip_msg_parse(&m, (uint8_t *)text, (size_t)n) != SIP_OK || m.n_hdrs < 2
	    || m.hdr[1].id != SIP_HDR_VIA || !steer_plain_via(&m, &m.hdr[1], &a))
		return false;
	sip_via_iter_init(&it, &m);
	*same = sip_via_iter_next(&it, &b) == 1 && sip_via_iter_next(&it, &b) == 1
		&& same_via(&a, &b);
	return true;
}

#define BRANCH ";branch=z9hG4bK-1"
#define LONG   "0123456789012345678901234567890123456789"

static const struct {
	const char *value;
	bool plain;
} vias[] = {
	{ "SIP/2.0/UDP 192.0.2.1", true },
	{ "SIP/2.0/UDP host.example.com:5062", true },
	{ "SIP/2.0/UDP h" BRANCH, true },
	{ "SIP/2.0/UDP h:1" BRANCH ";received=203.0.113.1;rport=10000", true },
	{ "SIP/2.0/UDP h:1;rport;received=203.0.113.1" BRANCH, true },
	{ "SIP/2.0/UDP h;branch=z9hG4bK" LONG LONG ";received=1.2.3.4", true },
	{ "SIP/2.0/UDP h;branch=z9hG4bK" LONG LONG LONG, false },
	{ "SIP/2.0/UDP h;branch=1;branch=2", false },
	{ "SIP/2.0/UDP h;rport;rport", false },
	{ "SIP/2.0/UDP h;received=1.2.3.4;received=1.2.3.4", false },
	{ "SIP/2.0/UDP h;branch", false },
	{ "SIP/2.0/UDP h;received", false },
	{ "SIP/2.0/UDP h;rport=", false },
	{ "SIP/2.0/UDP h;Branch=1", false },
	{ "SIP/2.0/UDP h;maddr=224.0.0.1", false },
	{ "SIP/2.0/UDP h;ttl=1", false },
	{ "SIP/2.0/UDP h;x=y", false },
	{ "SIP/2.0/UDP h;branch=\"x\"", false },
	{ "SIP/2.0/UDP h ;branch=1", false },
	{ "SIP/2.0/UDP h, SIP/2.0/UDP i", false },
	{ "SIP/2.0/UDP h_x", false },
	{ "SIP/2.0/UDP h+x", false },
	{ "SIP/2.0/UDP [2001:db8::1]", false },
	{ "SIP/2.0/UDP h:70000", false },
	{ "SIP/2.0/UDP h:", false },
	{ "SIP/2.0/UDP  h", false },
	{ "SIP/2.0/TCP h", false },
	{ "SIP / 2.0 / UDP h", false },
};

Test(steer_plain, a_plain_via_is_read_as_by_the_iterator_rfc3261_20_42)
{
	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		bool same = true;

		cr_expect_eq(is_plain_via(vias[i].value, &same), vias[i].plain, "%s",
			     vias[i].value);
		cr_expect(same, "%s", vias[i].value);
	}
}

/* Every byte at every place of a Via that crosses the middle of what is looked at. */
Test(steer_plain, any_byte_anywhere_in_a_via)
{
	static const char text[] = "SIP/2.0/UDP 192.168.0.1:5060;branch=z9hG4bK-0123456789abcdef"
				   ";received=203.0.113.1;rport=10000";
	unsigned int n = 0;

	for (size_t at = 0; at < sizeof(text) - 1; at++)
		for (unsigned int byte = 1; byte < 256; byte++) {
			char changed[sizeof(text)];
			bool same = true;

			memcpy(changed, text, sizeof(text));
			changed[at] = (char)byte;
			n += is_plain_via(changed, &same);
			cr_expect(same, "%02x at %zu", byte, at);
		}
	cr_expect(n > 2000, "only %u were plain", n);
}

#if defined(__x86_64__)
Test(steer_plain, classes_by_instructions_and_in_plain_c_agree)
{
	static const uint8_t hosts[] = { STEER_PLAIN_HOST, STEER_PLAIN_HOST_LOWER };
	uint8_t text[STEER_PLAIN_MAX];

	if (!__builtin_cpu_supports("ssse3"))
		return;
	for (unsigned int byte = 0; byte < 256; byte++)
		for (uint32_t len = 1; len <= STEER_PLAIN_MAX; len++) {
			struct steer_plain_ends a, b;
			uint64_t mask = ~0ull >> (64 - len);

			for (uint32_t i = 0; i < STEER_PLAIN_MAX; i++)
				text[i] = (uint8_t)(byte + i * len);
			a = steer_plain_ends_plain(text, len, hosts[byte % 2]);
			b = steer_plain_ends_ssse3(text, len, hosts[byte % 2]);
			cr_expect_eq(a.user, b.user & mask, "%u, %u bytes", byte, len);
			cr_expect_eq(a.host, b.host & mask, "%u, %u bytes", byte, len);
		}
}
#endif
