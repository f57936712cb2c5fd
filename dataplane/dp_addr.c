/*
 * Addresses and endpoints: text, comparison, hashing. Pure; any thread.
 */
#include "dataplane/dp_cfg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* Written out, since one is written into the Via of every request. */
#define TEXT4(a, b, c, d) \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24)
#define DIGITS(h, t, o)                                                          \
	((h)   ? TEXT4('0' + (h), '0' + (t), '0' + (o), '.') | (uint64_t)4 << 32 \
	 : (t) ? TEXT4('0' + (t), '0' + (o), '.', 0) | (uint64_t)3 << 32         \
	       : TEXT4('0' + (o), '.', 0, 0) | (uint64_t)2 << 32)
#define TEN(h, t)                                                                            \
	DIGITS(h, t, 0), DIGITS(h, t, 1), DIGITS(h, t, 2), DIGITS(h, t, 3), DIGITS(h, t, 4), \
		DIGITS(h, t, 5), DIGITS(h, t, 6), DIGITS(h, t, 7), DIGITS(h, t, 8),          \
		DIGITS(h, t, 9)
#define HUNDRED(h)                                                                              \
	TEN(h, 0), TEN(h, 1), TEN(h, 2), TEN(h, 3), TEN(h, 4), TEN(h, 5), TEN(h, 6), TEN(h, 7), \
		TEN(h, 8), TEN(h, 9)
/* The last four are no bytes, and never looked at. */
const uint64_t dp_octets[260] = { HUNDRED(0), HUNDRED(1), TEN(2, 0), TEN(2, 1),
				  TEN(2, 2),  TEN(2, 3),  TEN(2, 4), TEN(2, 5) };

static char *put_hex(char *p, unsigned int v)
{
	static const char digit[] = "0123456789abcdef";

	for (unsigned int shift = v >= 0x1000  ? 12
				  : v >= 0x100 ? 8
				  : v >= 0x10  ? 4
					       : 0;
	     ; shift -= 4) {
		*p++ = digit[v >> shift & 15];
		if (shift == 0)
			return p;
	}
}

static unsigned int group(const struct sip_ip *ip, unsigned int i)
{
	return (unsigned int)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
}

/* The longest run of zero groups, the first of several, at least two (RFC 5952 4.2). Returns its
 * length, 0: there is none. */
static unsigned int longest_zeros(const struct sip_ip *ip, unsigned int *at)
{
	unsigned int best = 0, n = 0;

	for (unsigned int i = 0; i < 8; i++) {
		n = group(ip, i) == 0 ? n + 1 : 0;
		if (n >= 2 && n > best) {
			best = n;
			*at = i + 1 - n;
		}
	}
	return best;
}

static size_t format_v6(const struct sip_ip *ip, char *text)
{
	unsigned int at = 8, run = longest_zeros(ip, &at);
	char *p = text;

	for (unsigned int i = 0; i < 8;) {
		if (run && i == at) {
			*p++ = ':';
			*p++ = ':';
			i += run;
			continue;
		}
		if (i > 0 && p[-1] != ':')
			*p++ = ':';
		p = put_hex(p, group(ip, i++));
	}
	*p = '\0';
	return (size_t)(p - text);
}

size_t dp_ip_format(const struct sip_ip *ip, char *text)
{
	size_t len;

	if (!dp_ip_is_v4(ip))
		return format_v6(ip, text);
	len = dp_ip_put(ip, text);
	text[len] = '\0';
	return len;
}

int dp_ip_parse(const char *text, struct sip_ip *ip)
{
	struct sip_ip tmp;

	if (inet_pton(AF_INET, text, tmp.b + 12) == 1)
		memcpy(tmp.b, mapped_prefix, sizeof(mapped_prefix));
	else if (inet_pton(AF_INET6, text, tmp.b) != 1)
		return -EINVAL;
	*ip = tmp;
	return 0;
}

bool dp_ip_is_unanswerable(const struct sip_ip *ip)
{
	static const struct sip_ip any;

	if (!dp_ip_is_v4(ip))
		return ip->b[0] == 0xff || dp_ip_equal(ip, &any);
	/* 224/4 multicast, 240/4 reserved with limited broadcast, 0/8 "this network" (RFC
	 * 1122 3.2.1.3) */
	return ip->b[12] >= 224 || ip->b[12] == 0;
}

/** Finaliser of MurmurHash3's 64-bit mixer: full avalanche in two multiplications. */
static uint64_t mix64(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ (h >> 33);
}

uint32_t dp_key(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a, then mixed: names are short and chosen by the
					       operator */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	return (uint32_t)mix64(h);
}
