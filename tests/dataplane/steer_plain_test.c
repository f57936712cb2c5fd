/*
 * The quick readers of plain URIs and IP literals against the whole ones, and what they are built
 * on by instructions against plain C. RFC 3261 19.1, 25.1.
 */
#include "dataplane/steer/steer_plain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/steer/steer_ipv4.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

TestSuite(steer_plain, .fini = leaks_check);

static bool same_uri(const struct sip_uri *a, const struct sip_uri *b)
{
	return a->scheme == b->scheme && a->port == b->port && a->has_user == b->has_user
	       && memcmp(&a->whole, &b->whole, sizeof(a->whole)) == 0
	       && memcmp(&a->host, &b->host, sizeof(a->host)) == 0 && a->user.len == b->user.len
	       && (a->user.len == 0 || a->user.off == b->user.off)
	       && a->password.len == b->password.len && a->params.len == b->params.len
	       && a->headers.len == b->headers.len;
}

static bool is_of(const uint8_t *buf, struct sip_span s, const char *set)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (!memchr(set, buf[s.off + i], strlen(set)))
			return false;
	return s.len > 0;
}

#define HOST_LOWER "abcdefghijklmnopqrstuvwxyz0123456789-."

/* Whether the whole reader finds an address of record that has nothing to be decoded. */
static bool is_whole_aor(const uint8_t *buf, struct sip_span s)
{
	struct sip_uri u;

	return memcmp(buf + s.off, "sip:", 4) == 0 && sip_uri_parse(buf, s, &u) == 0
	       && 4 + u.user.len + 1 + u.host.len == s.len && is_of(buf, u.host, HOST_LOWER)
	       && is_of(buf, u.user, HOST_LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ+_");
}

/* Whether it is plain, and, if so, read as sip_uri_parse() reads it; by all ways alike. behind: how
 * many bytes there are behind it. */
static bool is_plain(const char *text, size_t len, uint32_t behind, bool *same)
{
	static uint8_t buf[256];
	struct sip_msg m = { .buf = buf };
	struct sip_span s = { 7, (uint16_t)len };
	const struct steer_plain_impl *impl;
	size_t n = steer_plain_impls(&impl), n_plain = 0, n_aor = 0;
	struct sip_uri a, b;

	memset(buf, 'x', sizeof(buf));
	memcpy(buf + s.off, text, len);
	m.len = (uint32_t)(s.off + len + behind);
	*same = true;
	for (size_t i = 0; i < n; i++) {
		memset(&a, 0x55, sizeof(a));
		n_aor += impl[i].aor(&m, s);
		if (!impl[i].uri(&m, s, &a))
			continue;
		n_plain++;
		*same &= sip_uri_parse(buf, s, &b) == 0 && same_uri(&a, &b);
	}
	*same &= (n_plain == 0 || n_plain == n) && (n_aor == 0 || n_aor == n);
	if (len - 5 < STEER_PLAIN_MAX)
		*same &= is_whole_aor(buf, s) == (n_aor > 0);
	return n_plain > 0;
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
	{ "sip:12345678901234567890123456789@12345678901234567890123456789.org", true },
	{ "sip:123456789012345678901234567890@12345678901234567890123456789.org", false },
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

/* In steps where little is behind it, at once where there is enough. */
Test(steer_plain, what_is_plain_is_read_as_by_the_whole_reader)
{
	const size_t n = sizeof(rows) / sizeof(rows[0]);

	for (size_t i = 0; i < 2 * n; i++) {
		const char *text = rows[i % n].text;
		uint32_t behind = i < n ? STEER_PLAIN_STEP : 64;
		bool same;

		cr_expect_eq(is_plain(text, strlen(text), behind, &same), rows[i % n].plain, "%s",
			     text);
		cr_expect(same, "%s", text);
	}
}

/* Every byte at every place of a URI. */
Test(steer_plain, any_byte_anywhere)
{
	static const char text[] = "sip:al.ice-1@host.example.com:5060";
	unsigned int n = 0;

	for (size_t at = 0; at < sizeof(text) - 1; at++)
		for (unsigned int i = 0; i < 512; i++) {
			size_t len = sizeof(text) - 1 - (i < 256 ? 0 : strlen(":5060"));
			char changed[sizeof(text)];
			bool same;

			memcpy(changed, text, sizeof(text));
			changed[at] = (char)i;
			n += is_plain(changed, len, STEER_PLAIN_STEP, &same);
			cr_expect(same, "%02x at %zu", i & 255, at);
		}
	cr_expect(n > 3000, "only %u were plain", n);
}

/* What cannot be read in whole steps is left to the other reader. */
Test(steer_plain, nothing_behind_the_message_is_read)
{
	static const char text[] = "sip:a@b.example";
	struct sip_span s = { 0, sizeof(text) - 1 };
	const struct steer_plain_impl *impl;
	size_t n = steer_plain_impls(&impl);
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
		for (size_t i = 0; i < n; i++) {
			cr_expect_eq(impl[i].uri(&m, s, &uri), behind >= STEER_PLAIN_STEP, "%zu",
				     behind);
			cr_expect_eq(impl[i].aor(&m, s), behind >= STEER_PLAIN_STEP, "%zu", behind);
		}
	}
	guard_fini(&g);
}

/* ---- IP literals ---- */

/* What the shuffle reads, if it can run here, is what the others do: all of IPv4, and no more. */
static void same_by_shuffle(const uint8_t *p, uint32_t len, const struct sip_ip *ip)
{
#if defined(__x86_64__)
	bool v4 = ip && dp_ip_is_v4(ip) && !memchr(p, ':', len);
	uint32_t read;

	if (!__builtin_cpu_supports("sse4.1"))
		return;
	if (!steer_ipv4_sse(p, len, &read))
		cr_expect_not(v4, "%.*s is not read", (int)len, (const char *)p);
	else if (!v4 || memcmp(&read, ip->b + 12, sizeof(read)) != 0)
		cr_expect_fail("%.*s: read", (int)len, (const char *)p);
#endif
}

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
	same_by_shuffle(buf + s.off, s.len, rb == 0 ? &b : NULL);
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

/* Each length of each of the four numbers, and each number's neighbours. */
Test(steer_plain, ipv4_literals_of_every_form)
{
	static const unsigned int numbers[] = { 0,   1,   9,   10,  42,  99, 100,
						199, 200, 249, 255, 256, 999 };
	enum { N = sizeof(numbers) / sizeof(numbers[0]) };

	for (unsigned int i = 0; i < N * N * N * N; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "%u.%u.%u.%u", numbers[i % N],
				 numbers[i / N % N], numbers[i / N / N % N],
				 numbers[i / N / N / N]);

		same_ip(text, (size_t)n);
	}
}

#if defined(__x86_64__)
Test(steer_plain, classes_by_instructions_and_in_plain_c_agree)
{
	static const uint8_t hosts[] = { STEER_PLAIN_HOST, STEER_PLAIN_HOST_LOWER };
	uint8_t text[STEER_PLAIN_MAX + 1];

	if (!__builtin_cpu_supports("ssse3"))
		return;
	for (unsigned int byte = 0; byte < 256; byte++)
		for (uint32_t len = 1; len <= STEER_PLAIN_MAX; len++) {
			struct steer_plain_ends a, b;
			uint64_t mask = ~0ull >> (64 - len);

			for (uint32_t i = 0; i < sizeof(text); i++)
				text[i] = (uint8_t)(byte + i * len);
			a = steer_plain_ends_plain(text, len, hosts[byte % 2]);
			b = steer_plain_ends_ssse3(text, len, hosts[byte % 2]);
			cr_expect_eq(a.user, b.user & mask, "%u, %u bytes", byte, len);
			cr_expect_eq(a.host, b.host & mask, "%u, %u bytes", byte, len);
		}
}
#endif
