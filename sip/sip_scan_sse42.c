/*
 * The scan in SSE4.2: four registers for 64 bytes.
 */
#include "sip/sip_block.h"

#include <immintrin.h>

#include "sip/sip_prefix_sse.h"

static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

static inline uint64_t bits(__m128i v)
{
	return (uint32_t)_mm_movemask_epi8(v);
}

/* The bytes that are not in a set; those from 0x80 on are in none. */
static inline uint64_t not_in(__m128i v, __m128i low)
{
	__m128i row = _mm_and_si128(_mm_srli_epi16(v, 4), load(sip_tables.nibble));
	__m128i in = _mm_and_si128(_mm_shuffle_epi8(low, v),
				   _mm_shuffle_epi8(load(sip_tables.high_bit), row));

	return bits(_mm_cmpeq_epi8(in, _mm_setzero_si128()));
}

typedef __m128i feed_row_t;

static inline feed_row_t feed_row(void)
{
	__m128i lf = load(sip_tables.feed);

	__asm__("" : "+x"(lf)); /* in a register, not loaded at every use */
	return lf;
}

static inline uint64_t feed(feed_row_t lf, const uint8_t *p)
{
	return bits(_mm_cmpeq_epi8(load(p), lf));
}

static inline uint64_t join(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return a | b << 16 | c << 32 | d << 48;
}

static inline uint64_t feeds64(feed_row_t lf, const uint8_t *p)
{
	return join(feed(lf, p), feed(lf, p + 16), feed(lf, p + 32), feed(lf, p + 48));
}

static inline uint64_t stops64(const uint8_t *p)
{
	__m128i word = load(sip_tables.word);

	return join(not_in(load(p), word), not_in(load(p + 16), word), not_in(load(p + 32), word),
		    not_in(load(p + 48), word));
}

static inline uint64_t breaks64(const uint8_t *p)
{
	__m128i set = load(sip_tables.unbroken);

	return join(not_in(load(p), set), not_in(load(p + 16), set), not_in(load(p + 32), set),
		    not_in(load(p + 48), set));
}

static inline uint64_t out64(const uint8_t *p, const struct sip_set *set)
{
	__m128i a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);
	__m128i low = load(set->low);
	uint64_t upper = set->upper ? join(bits(a), bits(b), bits(c), bits(d)) : 0;

	return join(not_in(a, low), not_in(b, low), not_in(c, low), not_in(d, low)) & ~upper;
}

#define SIP_SCAN_NAME "sse4.2"
#define SIP_SCAN      sip_scan_sse42
#include "sip/sip_pass.h"
