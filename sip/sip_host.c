/*
 * IP literals as SIP writes them: IPv4, IPv6 in brackets (IPv6reference) and IPv6 without (received
 * and maddr, RFC 5118 4.5). RFC 3261 25.1, RFC 4291 2.2. Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

/* Dotted decimal that fills [i, end), 1*3DIGIT each, into four bytes. */
static int ipv4(const uint8_t *b, uint32_t i, uint32_t end, uint8_t out[4])
{
	for (int n = 0; n < 4; n++) {
		uint32_t stop = sip_skip(b, i, end, SIP_C_DIGIT), v;

		if (stop - i > 3 || sip_u32(b, i, stop, &v) < 0 || v > 255)
			return -EINVAL;
		out[n] = (uint8_t)v;
		if (n == 3)
			return stop == end ? 0 : -EINVAL;
		if (stop == end || b[stop] != '.')
			return -EINVAL;
		i = stop + 1;
	}
	return -EINVAL;
}

static unsigned int hex_digit(uint8_t c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)(sip_lower(c) - 'a') + 10;
}

/* h16 at i; returns the offset behind it, or 0. */
static uint32_t h16(const uint8_t *b, uint32_t i, uint32_t end, uint8_t out[2])
{
	unsigned int v = 0;
	uint32_t start = i;

	while (i < end && i - start < 4 && sip_is(b[i], SIP_C_HEX))
		v = v * 16 + hex_digit(b[i++]);
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
	return i > start ? i : 0;
}

/* State of an IPv6 address being read: the bytes so far, and where "::" stood. */
struct ipv6_reader {
	uint8_t b[16];
	int n;   /* bytes read */
	int gap; /* n when "::" came, or -1 */
};

/* RFC 3261's grammar, taken from RFC 2373, puts a third colon between "::" and an IPv4 address;
 * RFC 5118 4.10 has it tolerated. i is behind the "::". */
static uint32_t skip_third_colon(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint8_t v4[4];

	return i < end && b[i] == ':' && ipv4(b, i + 1, end, v4) == 0 ? i + 1 : i;
}

/* The groups of [i, end) up to its end; "::" is met between groups only. */
static int ipv6_groups(const uint8_t *b, uint32_t i, uint32_t end, struct ipv6_reader *r)
{
	while (i < end) {
		uint32_t stop;

		if (r->n > 14)
			return -EINVAL;
		stop = h16(b, i, end, r->b + r->n);
		if (stop == 0)
			return -EINVAL;
		if (stop < end && b[stop] == '.') {
			if (r->n > 12 || ipv4(b, i, end, r->b + r->n) < 0)
				return -EINVAL;
			r->n += 4;
			return 0;
		}
		r->n += 2;
		if (stop == end)
			return 0;
		if (b[stop] != ':' || stop + 1 == end)
			return -EINVAL;
		i = stop + 1;
		if (b[i] == ':') {
			if (r->gap >= 0)
				return -EINVAL;
			r->gap = r->n;
			i = skip_third_colon(b, i + 1, end);
		}
	}
	return 0;
}

static int ipv6(const uint8_t *b, uint32_t i, uint32_t end, struct sip_ip *ip)
{
	struct ipv6_reader r = { .n = 0, .gap = -1 };
	int tail;

	if (end - i < 2)
		return -EINVAL;
	if (b[i] == ':' && b[i + 1] == ':') {
		r.gap = 0;
		i = skip_third_colon(b, i + 2, end);
	}
	if (ipv6_groups(b, i, end, &r) < 0 || (r.gap < 0) != (r.n == 16))
		return -EINVAL;
	memset(ip->b, 0, sizeof(ip->b));
	if (r.gap < 0)
		r.gap = 16;
	tail = r.n - r.gap;
	memcpy(ip->b, r.b, (size_t)r.gap);
	if (tail > 0)
		memcpy(ip->b + 16 - tail, r.b + r.gap, (size_t)tail);
	return 0;
}

int sip_host_ip(const uint8_t *buf, struct sip_span host, struct sip_ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint32_t i = host.off, end = sip_span_end(host);
	uint8_t v4[4];

	if (host.len == 0)
		return -EINVAL;
	if (buf[i] == '[') {
		if (host.len < 4 || buf[end - 1] != ']')
			return -EINVAL;
		return ipv6(buf, i + 1, end - 1, ip);
	}
	if (ipv4(buf, i, end, v4) == 0) {
		memcpy(ip->b, mapped, sizeof(mapped));
		memcpy(ip->b + 12, v4, sizeof(v4));
		return 0;
	}
	return ipv6(buf, i, end, ip);
}
