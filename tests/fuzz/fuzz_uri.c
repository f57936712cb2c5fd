/*
 * sip_uri_parse(), sip_host_ip() and sip_user_equal() on anything.
 */
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define USER_MAX 1024

/* The user with every byte escaped is the same user. */
static void check_escaped_user(const uint8_t *buf, struct sip_span user)
{
	static char text[3 * USER_MAX + 1];
	struct sip_span escaped = { 0, 0 };

	if (user.len > USER_MAX || memchr(buf + user.off, '%', user.len))
		return;
	for (uint16_t i = 0; i < user.len; i++)
		escaped.len =
			(uint16_t)(escaped.len
				   + snprintf(text + escaped.len, 4, "%%%02x", buf[user.off + i]));
	assert(sip_user_equal(buf, user, (const uint8_t *)text, escaped));
}

/* An address written out in full and read again is the same address. */
static void check_ip(const uint8_t *buf, struct sip_span host)
{
	struct sip_ip ip, again;
	char text[64];
	int len = 0;

	if (sip_host_ip(buf, host, &ip) < 0)
		return;
	for (int i = 0; i < 16; i += 2)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%x", i ? ":" : "[",
				ip.b[i] << 8 | ip.b[i + 1]);
	text[len++] = ']';
	assert(sip_host_ip((uint8_t *)text, (struct sip_span){ 0, (uint16_t)len }, &again) == 0);
	assert(memcmp(&ip, &again, sizeof(ip)) == 0);
}

/* What the C library reads as an address we read alike, and nothing else, but for leading zeros in
 * decimal and RFC 5118 4.10's third colon. */
static void check_against_libc(const uint8_t *buf, struct sip_span host)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sip_ip ours, libc;
	char text[64];
	int r;

	if (host.len > 2 && buf[host.off] == '[' && buf[host.off + host.len - 1] == ']')
		host = (struct sip_span){ (uint16_t)(host.off + 1), (uint16_t)(host.len - 2) };
	if (host.len == 0 || host.len >= sizeof(text) || memchr(buf + host.off, 0, host.len)
	    || buf[host.off] == '[')
		return;
	memcpy(text, buf + host.off, host.len);
	text[host.len] = '\0';
	r = sip_host_ip(buf, host, &ours);
	memcpy(libc.b, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, libc.b + 12) == 1 || inet_pton(AF_INET6, text, libc.b) == 1)
		assert(r == 0 && memcmp(&ours, &libc, sizeof(ours)) == 0);
	else
		assert(r < 0 || strchr(text, '.'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_span all = { 0, (uint16_t)size };
	struct sip_uri uri;

	if (size > SIP_MSG_MAX)
		return 0;
	fuzz_check_uri(data, all);
	check_ip(data, all);
	check_against_libc(data, all);
	if (sip_uri_parse(data, all, &uri) < 0)
		return 0;
	if (uri.user.len > 0)
		check_escaped_user(data, uri.user);
	if (uri.host.len > 0)
		check_ip(data, uri.host);
	return 0;
}
