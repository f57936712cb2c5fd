/*
 * The scan in NEON (aarch64, where every machine has it): four registers for 64 bytes.
 */
#include "sip/sip_block.h"

#include <arm_neon.h>

/* A bit for each of 64 bytes that are 0x00 or 0xff: keep one bit of each, add neighbours three
 * times. */
static inline uint64_t bits(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
	static const uint8_t bit[16] = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
	uint8x16_t m = vld1q_u8(bit);
	uint8x16_t ab = vpaddq_u8(vandq_u8(a, m), vandq_u8(b, m));
	uint8x16_t cd = vpaddq_u8(vandq_u8(c, m), vandq_u8(d, m));

	ab = vpaddq_u8(ab, cd);
	return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(ab, ab)), 0);
}

/* The bytes that are not in a set; those from 0x80 on are in none. An index from 16 on looks up 0.
 */
static inline uint8x16_t not_in(const uint8_t *p, uint8x16_t low)
{
	uint8x16_t v = vld1q_u8(p);
	uint8x16_t in = vandq_u8(vqtbl1q_u8(low, vandq_u8(v, vdupq_n_u8(0x8f))),
				 vqtbl1q_u8(vld1q_u8(sip_tables.high_bit), vshrq_n_u8(v, 4)));

	return vceqzq_u8(in);
}

static inline uint64_t not_in64(const uint8_t *p, const uint8_t row[16])
{
	uint8x16_t low = vld1q_u8(row);

	return bits(not_in(p, low), not_in(p + 16, low), not_in(p + 32, low), not_in(p + 48, low));
}

typedef uint8x16_t feed_row_t;

static inline feed_row_t feed_row(void)
{
	return vdupq_n_u8('\n');
}

static inline uint8x16_t feed(feed_row_t lf, const uint8_t *p)
{
	return vceqq_u8(vld1q_u8(p), lf);
}

/* 0xff for bytes from 0x80 on. */
static inline uint8x16_t upper(const uint8_t *p)
{
	return vcgeq_u8(vld1q_u8(p), vdupq_n_u8(0x80));
}

static inline uint64_t feeds64(feed_row_t lf, const uint8_t *p)
{
	return bits(feed(lf, p), feed(lf, p + 16), feed(lf, p + 32), feed(lf, p + 48));
}

static inline uint64_t stops64(const uint8_t *p)
{
	return not_in64(p, sip_tables.word);
}

static inline uint64_t breaks64(const uint8_t *p)
{
	return not_in64(p, sip_tables.unbroken);
}

static inline uint64_t out64(const uint8_t *p, const struct sip_set *set)
{
	uint64_t above =
		set->upper ? bits(upper(p), upper(p + 16), upper(p + 32), upper(p + 48)) : 0;

	return not_in64(p, set->low) & ~above;
}

static inline bool has_prefix(const uint8_t *line, const struct sip_pattern *p)
{
	uint8x16_t v = vqaddq_u8(vld1q_u8(line), vld1q_u8(p->lift));
	uint8x16_t differ = vandq_u8(veorq_u8(v, vld1q_u8(p->text)), vld1q_u8(p->mask));

	return vmaxvq_u8(differ) == 0;
}

#define SIP_SCAN_NAME "neon"
#define SIP_SCAN      sip_scan_neon
#include "sip/sip_pass.h"
