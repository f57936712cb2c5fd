/*
 * IPv4 literals, dotted decimal of 1*3DIGIT each (RFC 3261 25.1), by one shuffle that puts the
 * digits of each number where they weigh the same. By SSE4.1 where the compiler may use it; else,
 * and for all other hosts, as steer_host_ip() does it. Pure; any thread.
 */
#pragma once

#include "dataplane/steer/steer_internal.h"

#define STEER_IPV4_READ 16u /* bytes that are read */
#define STEER_IPV4_MAX  15u /* of the longest */

/* Where dots stand, and the end, a bit for each byte; and what brings each number's digits to four
 * bytes: hundreds, tens, ones, none. */
struct steer_ipv4_form {
	_Alignas(16) uint8_t digits[16];
};

#define STEER_IPV4_FORMS 256u
#define STEER_IPV4_HASH  0xd6af10d1u /* tells all 81 forms apart */

/* Written before main(). */
extern struct steer_ipv4_form steer_ipv4_forms[STEER_IPV4_FORMS];
extern uint16_t steer_ipv4_ends[STEER_IPV4_FORMS]; /* 0: none is there */

static inline uint32_t steer_ipv4_place(uint32_t ends)
{
	return ends * STEER_IPV4_HASH >> 24;
}

#if defined(__x86_64__)
#include <smmintrin.h>

/** @param p   STEER_IPV4_READ bytes of it can be read.
 * @param  ip  Out: the address, its first number lowest; unspecified when it is none. */
static inline __attribute__((target("sse4.1"))) bool steer_ipv4_sse(const uint8_t *p, uint32_t len,
								    uint32_t *ip)
{
	const __m128i weight = _mm_set1_epi32(100 | 10 << 8 | 1 << 16);
	const __m128i nine = _mm_set1_epi8(9), ones = _mm_set1_epi16(1);
	__m128i text = _mm_loadu_si128((const __m128i *)(const void *)p), digits, numbers;
	uint32_t end = 1u << (len & 15), ends, at;

	ends = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')));
	ends = (ends & (end - 1)) | end;
	at = steer_ipv4_place(ends);
	if (steer_ipv4_ends[at] != ends || len > STEER_IPV4_MAX)
		return false;
	/* What is no digit is above nine; where no digit belongs, zero comes in. */
	digits = _mm_shuffle_epi8(
		_mm_sub_epi8(text, _mm_set1_epi8('0')),
		_mm_load_si128((const __m128i *)(const void *)steer_ipv4_forms[at].digits));
	numbers = _mm_madd_epi16(_mm_maddubs_epi16(digits, weight), ones);
	if (!_mm_testz_si128(_mm_subs_epu8(digits, nine), _mm_set1_epi8(-1))
	    || !_mm_testz_si128(numbers, _mm_set1_epi32(~0xff)))
		return false;
	numbers = _mm_packus_epi32(numbers, numbers);
	*ip = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(numbers, numbers));
	return true;
}
#endif

/** steer_host_ip() of a host in a message. */
static inline int steer_msg_ip(const struct sip_msg *m, struct sip_span host, struct sip_ip *ip)
{
#ifdef __SSE4_1__
	uint64_t mapped[2] = { 0, DP_IP_MAPPED };
	uint32_t v4;

	if (host.off + STEER_IPV4_READ <= m->len
	    && steer_ipv4_sse(sip_at(m, host), host.len, &v4)) {
		mapped[1] |= (uint64_t)v4 << 32;
		memcpy(ip->b, mapped, sizeof(mapped));
		return 0;
	}
#endif
	return steer_host_ip(m->buf, host, ip);
}
