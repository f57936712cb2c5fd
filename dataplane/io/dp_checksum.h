/*
 * The Internet checksum (RFC 1071): sums that are kept unfolded, in the machine's byte order, and
 * folded at the end. A sum is of bytes that start at an even place; dp_sum_swap() turns it into
 * that of the same bytes at an odd place. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** An unfolded ones' complement sum; partial sums add up with `+` (up to 2^32 of them). */
typedef uint64_t dp_sum_t;

/** Sum of len bytes, half a mebibyte at most; a last odd byte counts as if a zero byte followed. */
typedef dp_sum_t dp_sum_fn(const void *p, size_t len);
dp_sum_fn dp_sum;

/** The ways to compute it: in plain C, and by the machine's instructions (dp_checksum_x86.c, or
 * dp_checksum_none.c); NULL: it has none that are worth it. */
dp_sum_fn dp_sum_plain;
dp_sum_fn *dp_sum_machine(void);

/** The same of n words of 32 bits, for an n that is known when compiled. */
static inline dp_sum_t dp_sum_words(const void *p, size_t n)
{
	dp_sum_t s = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t w;

		memcpy(&w, (const uint8_t *)p + 4 * i, sizeof(w));
		s += w;
	}
	return s;
}

/* Folded, in the upper half; what is in the lower one is of no meaning. */
static inline uint32_t dp_sum_fold_high(dp_sum_t s)
{
	uint32_t half;

	/* Turned and added to itself, a number has in its upper half the sum of both halves with
	 * the carry that comes round. */
	s += s << 32 | s >> 32;
	half = (uint32_t)(s >> 32);
	return half + (half << 16 | half >> 16);
}

/** Fold to 16 bits, not complemented; 0 only when every byte summed was 0. */
static inline uint16_t dp_sum_fold(dp_sum_t s)
{
	return (uint16_t)(dp_sum_fold_high(s) >> 16);
}

/* Sums count modulo 65535: bytes that change places are a multiplication by 256. */

/** The sum of the same bytes moved by an odd number of places (RFC 1071 section 2 (B)).
 * @param s  Below 2^48. */
static inline dp_sum_t dp_sum_swap(dp_sum_t s)
{
	return s << 8;
}

/** What takes `s` away when it is added (ones' complement subtraction, RFC 1624).
 * @param s  Below 2^47; so is the result below 2^48. */
static inline dp_sum_t dp_sum_negate(dp_sum_t s)
{
	return (0xffffffffull << 16) - s; /* a multiple of 65535 */
}

/** The checksum field for a sum, as it lies in memory. */
static inline uint16_t dp_sum_finish(dp_sum_t s)
{
	return (uint16_t)~dp_sum_fold(s);
}

/** The same as the second half of a word. */
static inline uint32_t dp_sum_finish_high(dp_sum_t s)
{
	return ~dp_sum_fold_high(s) & 0xffff0000;
}
