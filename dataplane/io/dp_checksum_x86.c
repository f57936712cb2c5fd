/*
 * Sums by AVX2, 32 bytes at a time. Words count as signed ones, each less by 2^15, since a signed
 * multiplication by ones adds them up in pairs; how much that is too little is known from their
 * number. Owns nothing; pure.
 */
#include <immintrin.h>

#include "dataplane/io/dp_checksum.h"

#define AVX2    __attribute__((target("avx2")))
#define BLOCK   32u
#define LEN_MAX 65536u /* for which lanes of 32 bits, and their sum, hold it */

/* From the end on, n bytes that count; before, those that do not. */
static const uint8_t mask[2 * BLOCK] = {
	[32] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255,        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static inline AVX2 __m256i pairs(__m256i words)
{
	return _mm256_madd_epi16(_mm256_xor_si256(words, _mm256_set1_epi16(INT16_MIN)),
				 _mm256_set1_epi16(1));
}

static inline AVX2 __m256i load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Of the eight lanes together. */
static inline AVX2 int32_t lanes_sum(__m256i lanes)
{
	__m128i s =
		_mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));

	s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
	return _mm_cvtsi128_si32(s) + _mm_extract_epi32(s, 1);
}

static AVX2 dp_sum_t sum(const void *p, size_t len)
{
	const uint8_t *b = p, *end;
	__m256i lanes = _mm256_setzero_si256();
	dp_sum_t last = 0;
	size_t blocks;

	if (len < BLOCK || len > LEN_MAX)
		return dp_sum_plain(p, len);
	if (len & 1)
		last = b[--len]; /* the low byte of its word */
	blocks = (len + BLOCK - 1) / BLOCK;
	end = b + len - BLOCK;
#pragma GCC unroll 2
	for (; b < end; b += BLOCK)
		lanes = _mm256_add_epi32(lanes, pairs(load(b)));
	/* The last 32 bytes, of which some may have been counted. */
	lanes = _mm256_add_epi32(
		lanes, pairs(_mm256_and_si256(load(end), load(mask + BLOCK - (size_t)(b - end)))));
	return last + (dp_sum_t)(lanes_sum(lanes) + (int64_t)(blocks * BLOCK / 2 << 15));
}

dp_sum_fn *dp_sum_machine(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") ? sum : NULL;
}
