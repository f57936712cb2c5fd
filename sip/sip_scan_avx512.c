/*
 * The scan in AVX-512BW: one register for 64 bytes.
 */
#include "sip/sip_block.h"

#include <immintrin.h>

static inline __m512i table(const uint8_t row[16])
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)row));
}

/* The bytes that are not in a set; those from 0x80 on are in none. */
static inline uint64_t not_in(__m512i v, __m512i low)
{
	__m512i row = _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(0x0f));

	return ~_mm512_test_epi8_mask(_mm512_shuffle_epi8(low, v),
				      _mm512_shuffle_epi8(table(sip_tables.high_bit), row));
}

typedef __m512i feed_row_t;

static inline feed_row_t feed_row(void)
{
	return _mm512_set1_epi8('\n');
}

static inline uint64_t feeds64(feed_row_t lf, const uint8_t *p)
{
	return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), lf);
}

static inline uint64_t stops64(const uint8_t *p)
{
	return not_in(_mm512_loadu_si512(p), table(sip_tables.word));
}

static inline uint64_t breaks64(const uint8_t *p)
{
	return not_in(_mm512_loadu_si512(p), table(sip_tables.unbroken));
}

static inline uint64_t out64(const uint8_t *p, const struct sip_set *set)
{
	__m512i v = _mm512_loadu_si512(p);

	return not_in(v, table(set->low)) & (set->upper ? ~_mm512_movepi8_mask(v) : UINT64_MAX);
}

static inline bool has_prefix(const uint8_t *line, const struct sip_pattern *p)
{
	__m128i text = _mm_load_si128((const __m128i *)p->text);
	__m128i mask = _mm_load_si128((const __m128i *)p->mask);
	__m128i lift = _mm_load_si128((const __m128i *)p->lift);
	__m128i v = _mm_adds_epu8(lift, _mm_loadu_si128((const __m128i *)line));

	return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(v, mask), text)) == 0xffff;
}

#define SIP_SCAN_NAME "avx512"
#define SIP_SCAN      sip_scan_avx512
#include "sip/sip_pass.h"
