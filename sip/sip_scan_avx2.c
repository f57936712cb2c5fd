/*
 * The scan in AVX2: two registers for 64 bytes.
 */
#include "sip/sip_block.h"

#include <immintrin.h>

#include "sip/sip_prefix_sse.h"

static inline __m256i load(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256i whole(const uint8_t row[32])
{
	return _mm256_load_si256((const __m256i *)row);
}

static inline __m256i table(const uint8_t row[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)row));
}

static inline uint64_t bits(__m256i v)
{
	return (uint32_t)_mm256_movemask_epi8(v);
}

/* The bytes that are not in a set; those from 0x80 on are in none. */
static inline uint64_t not_in(__m256i v, __m256i low)
{
	__m256i row = _mm256_and_si256(_mm256_srli_epi16(v, 4), whole(sip_tables.nibble));
	__m256i in = _mm256_and_si256(_mm256_shuffle_epi8(low, v),
				      _mm256_shuffle_epi8(whole(sip_tables.high_bit), row));

	return bits(_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));
}

typedef __m256i feed_row_t;

static inline feed_row_t feed_row(void)
{
	__m256i lf = whole(sip_tables.feed);

	__asm__("" : "+x"(lf)); /* in a register, not loaded at every use */
	return lf;
}

static inline uint64_t feeds64(feed_row_t lf, const uint8_t *p)
{
	return bits(_mm256_cmpeq_epi8(load(p), lf))
	       | bits(_mm256_cmpeq_epi8(load(p + 32), lf)) << 32;
}

static inline uint64_t stops64(const uint8_t *p)
{
	__m256i word = whole(sip_tables.word);

	return not_in(load(p), word) | not_in(load(p + 32), word) << 32;
}

static inline uint64_t breaks64(const uint8_t *p)
{
	__m256i set = whole(sip_tables.unbroken);

	return not_in(load(p), set) | not_in(load(p + 32), set) << 32;
}

static inline uint64_t out64(const uint8_t *p, const struct sip_set *set)
{
	__m256i a = load(p), b = load(p + 32), low = table(set->low);
	uint64_t upper = set->upper ? bits(a) | bits(b) << 32 : 0;

	return (not_in(a, low) | not_in(b, low) << 32) & ~upper;
}

#define SIP_SCAN_NAME "avx2"
#define SIP_SCAN      sip_scan_avx2
#include "sip/sip_pass.h"
