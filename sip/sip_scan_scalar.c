/*
 * The scan without SIMD, which every machine can run and all variants are compared with.
 */
#include "sip/sip_block.h"

typedef uint8_t feed_row_t;

static inline feed_row_t feed_row(void)
{
	return '\n';
}

static inline uint64_t feeds64(feed_row_t lf, const uint8_t *p)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < SIP_BLOCK; i++)
		bits |= (uint64_t)(p[i] == lf) << i;
	return bits;
}

static inline uint64_t stops64(const uint8_t *p)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < SIP_BLOCK; i++)
		bits |= (uint64_t)(p[i] == '_' || !sip_is(p[i], SIP_C_HOST)) << i;
	return bits;
}

static inline uint64_t out64(const uint8_t *p, const struct sip_set *set)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < SIP_BLOCK; i++) {
		bool in = p[i] < 0x80 ? set->low[p[i] & 15] >> (p[i] >> 4) & 1 : set->upper;

		bits |= (uint64_t)!in << i;
	}
	return bits;
}

static inline uint64_t breaks64(const uint8_t *p)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < SIP_BLOCK; i++) {
		bool out = p[i] >= 0x80 || !(sip_tables.unbroken[p[i] & 15] >> (p[i] >> 4) & 1);

		bits |= (uint64_t)out << i;
	}
	return bits;
}

/* "Name: " as two words, and the byte behind it by itself. */
static inline bool has_prefix(const uint8_t *line, const struct sip_pattern *p)
{
	uint64_t low = (sip_load64(line) ^ sip_load64(p->text)) & sip_load64(p->mask);
	uint64_t high = (sip_load64(line + 8) ^ sip_load64(p->text + 8)) & sip_load64(p->mask + 8);
	uint64_t others = ~(UINT64_C(0xff) << (p->value & 7) * 8);

	if (p->value < 8)
		low &= others;
	else if (p->value < 16)
		high &= others;
	return (low | high) == 0 && (p->value >= 16 || line[p->value] > ' ');
}

#define SIP_SCAN_NAME "scalar"
#define SIP_SCAN      sip_scan_scalar
#include "sip/sip_pass.h"
