/*
 * The walk along edits by AVX2: pieces of up to 128 bytes moved at once, and sums 32 bytes at a
 * time. Words count as signed ones, each less by 2^15, since a signed multiplication by ones adds
 * them up in pairs; how much that is too little is known from their number. Owns nothing; pure.
 */
#include <immintrin.h>

#include "dataplane/io/dp_edit.h"

#define AVX2  __attribute__((target("avx2")))
#define WALK  static inline AVX2 __attribute__((always_inline))
#define BLOCK 32u

/* From the middle on, what counts; before, what does not. */
static const uint8_t mask[2 * BLOCK] = {
	[32] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255,        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

struct sums {
	__m256i lanes; /* for payloads of 64 KiB each holds it */
	int32_t blocks;
};
#define SUMS struct sums

WALK __m256i load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

WALK void store(uint8_t *p, __m256i v)
{
	_mm256_storeu_si256((__m256i *)(void *)p, v);
}

WALK __m256i pairs(__m256i words)
{
	return _mm256_madd_epi16(_mm256_xor_si256(words, _mm256_set1_epi16(INT16_MIN)),
				 _mm256_set1_epi16(1));
}

/* The first 32 bytes, of which some do not count. */
WALK __m256i pairs_first(const uint8_t *p, uint32_t skip)
{
	return pairs(_mm256_and_si256(load(p), load(mask + BLOCK - skip)));
}

WALK void sums_take(SUMS *s, const uint8_t *end, uint32_t len)
{
	uint32_t blocks = (len + BLOCK - 1) / BLOCK;
	const uint8_t *p = end - (size_t)blocks * BLOCK;
	__m256i lanes = s->lanes;

	if (!len)
		return;
	s->blocks -= (int32_t)blocks;
	lanes = _mm256_sub_epi32(lanes, pairs_first(p, blocks * BLOCK - len));
#pragma GCC unroll 2
	while ((p += BLOCK) < end)
		lanes = _mm256_sub_epi32(lanes, pairs(load(p)));
	s->lanes = lanes;
}

WALK void sums_give(SUMS *s, const uint8_t *end, uint32_t len)
{
	uint32_t blocks = (len + BLOCK - 1) / BLOCK;
	const uint8_t *p = end - (size_t)blocks * BLOCK;
	__m256i lanes = s->lanes;

	if (!len)
		return;
	s->blocks += (int32_t)blocks;
	lanes = _mm256_add_epi32(lanes, pairs_first(p, blocks * BLOCK - len));
#pragma GCC unroll 2
	while ((p += BLOCK) < end)
		lanes = _mm256_add_epi32(lanes, pairs(load(p)));
	s->lanes = lanes;
}

WALK int64_t sums_total(const SUMS *s)
{
	__m128i v = _mm_add_epi32(_mm256_castsi256_si128(s->lanes),
				  _mm256_extracti128_si256(s->lanes, 1));

	v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
	return (int64_t)_mm_cvtsi128_si32(v) + _mm_extract_epi32(v, 1)
	       + (int64_t)s->blocks * (BLOCK / 2 << 15);
}

WALK void put_long(uint8_t *to, const uint8_t *from, uint32_t len)
{
	__m256i a, b, c, d;

	if (len > 4 * BLOCK) {
		memmove(to, from, len);
		return;
	}
	a = load(from);
	b = load(from + len - BLOCK);
	if (len > 2 * BLOCK) {
		c = load(from + BLOCK);
		d = load(from + len - 2 * BLOCK);
		store(to + BLOCK, c);
		store(to + len - 2 * BLOCK, d);
	}
	store(to, a);
	store(to + len - BLOCK, b);
}

#include "dataplane/io/dp_edit_walk.h"

static AVX2 dp_sum_t edit_avx2(const struct dp_edit *d)
{
	return edit(d);
}

dp_edit_fn *dp_edit_machine(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") ? edit_avx2 : NULL;
}
