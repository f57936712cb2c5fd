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
	__m256i signs, ones;
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

WALK struct sums sums_none(void)
{
	struct sums s = { .lanes = _mm256_setzero_si256(),
			  .signs = _mm256_set1_epi16(INT16_MIN),
			  .ones = _mm256_set1_epi16(1) };

	/* Of no known value, so that they stay where they are. */
	__asm__("" : "+x"(s.signs), "+x"(s.ones));
	return s;
}

WALK __m256i pairs(const SUMS *s, __m256i words)
{
	return _mm256_madd_epi16(_mm256_xor_si256(words, s->signs), s->ones);
}

/* Of the blocks before `end`: the first one has bytes that do not count, `skip` of them. */
WALK __m256i blocks_sum(const SUMS *s, const uint8_t *p, const uint8_t *end, size_t skip)
{
	__m256i sum = pairs(s, _mm256_and_si256(load(p), load(mask + BLOCK - skip)));

	p += BLOCK;
#pragma GCC unroll 1
	for (size_t n = (size_t)(end - p) / (4 * BLOCK); n; n--, p += 4 * BLOCK) {
		sum = _mm256_add_epi32(sum, pairs(s, load(p)));
		sum = _mm256_add_epi32(sum, pairs(s, load(p + BLOCK)));
		sum = _mm256_add_epi32(sum, pairs(s, load(p + 2 * BLOCK)));
		sum = _mm256_add_epi32(sum, pairs(s, load(p + 3 * BLOCK)));
	}
#pragma GCC unroll 1
	for (; p < end; p += BLOCK)
		sum = _mm256_add_epi32(sum, pairs(s, load(p)));
	return sum;
}

WALK void sums_take(SUMS *s, const uint8_t *end, size_t len)
{
	size_t size = (len + BLOCK - 1) & ~(size_t)(BLOCK - 1);

	if (!len)
		return;
	s->blocks -= (int32_t)(size / BLOCK);
	s->lanes = _mm256_sub_epi32(s->lanes, blocks_sum(s, end - size, end, size - len));
}

WALK void sums_give(SUMS *s, const uint8_t *end, size_t len)
{
	size_t size = (len + BLOCK - 1) & ~(size_t)(BLOCK - 1);

	if (!len)
		return;
	s->blocks += (int32_t)(size / BLOCK);
	s->lanes = _mm256_add_epi32(s->lanes, blocks_sum(s, end - size, end, size - len));
}

WALK int64_t sums_total(const SUMS *s)
{
	__m128i v = _mm_add_epi32(_mm256_castsi256_si128(s->lanes),
				  _mm256_extracti128_si256(s->lanes, 1));

	v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
	return (int64_t)_mm_cvtsi128_si32(v) + _mm_extract_epi32(v, 1)
	       + (int64_t)s->blocks * (BLOCK / 2 << 15);
}

struct four {
	__m256i a, b, c, d;
};

WALK struct four load_four(const uint8_t *p)
{
	return (struct four){ load(p), load(p + BLOCK), load(p + 2 * BLOCK), load(p + 3 * BLOCK) };
}

WALK void store_four(uint8_t *p, struct four v)
{
	store(p, v.a);
	store(p + BLOCK, v.b);
	store(p + 2 * BLOCK, v.c);
	store(p + 3 * BLOCK, v.d);
}

/* From the end that moves first; what is written last is loaded before anything is. */
WALK void put_blocks(uint8_t *to, const uint8_t *from, size_t len, bool away)
{
	size_t last = len - 4 * BLOCK;
	struct four rest = load_four(away ? from : from + last);

	if (away) {
#pragma GCC unroll 1
		for (size_t at = last; (ptrdiff_t)at > 0; at -= 4 * BLOCK)
			store_four(to + at, load_four(from + at));
		store_four(to, rest);
	} else {
#pragma GCC unroll 1
		for (size_t at = 0; at < last; at += 4 * BLOCK)
			store_four(to + at, load_four(from + at));
		store_four(to + last, rest);
	}
}

WALK void put_long(uint8_t *to, const uint8_t *from, size_t len, bool away)
{
	__m256i a, b, c, d;

	if (len > 4 * BLOCK) {
		put_blocks(to, from, len, away);
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
