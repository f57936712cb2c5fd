/*
 * Sums in plain C, and the choice among the ways to compute them. Owns one pointer, set before
 * main() and never again.
 */
#include "dataplane/io/dp_checksum.h"

#include <string.h>

/* Four lanes at a time; every machine that we know has registers of this size. */
typedef uint32_t lanes __attribute__((vector_size(16)));

/* Sum of the 16-byte blocks: of each four bytes both halves, in lanes that hold those of half a
 * mebibyte. */
static inline dp_sum_t sum_blocks(const uint8_t *b, const uint8_t *end)
{
	lanes low = { 0 }, high = { 0 }, w;
	uint64_t two[2];

	if (b == end)
		return 0;
#pragma GCC unroll 2
	for (; b < end; b += sizeof(w)) {
		memcpy(&w, b, sizeof(w));
		low += w & 0xffff;
		high += w >> 16;
	}
	low += high;
	memcpy(two, &low, sizeof(two));
	return (two[0] & 0xffffffff) + (two[0] >> 32) + (two[1] & 0xffffffff) + (two[1] >> 32);
}

dp_sum_t dp_sum_plain(const void *p, size_t len)
{
	const uint8_t *b = p, *end = b + (len & ~(size_t)15);
	dp_sum_t s = sum_blocks(b, end);
	uint32_t w[2] = { 0, 0 };
	uint16_t h = 0;

	b = end;
	if (len & 8) {
		memcpy(w, b, 8);
		s += (dp_sum_t)w[0] + w[1];
		b += 8;
	}
	if (len & 4) {
		memcpy(w, b, 4);
		s += w[0];
		b += 4;
	}
	if (len & 2) {
		memcpy(&h, b, 2);
		s += h;
		b += 2;
	}
	return len & 1 ? s + *b : s; /* as if a zero byte followed: it is the low one of its word */
}

static dp_sum_fn *best = dp_sum_plain;

static __attribute__((constructor)) void choose(void)
{
	dp_sum_fn *machine = dp_sum_machine();

	if (machine)
		best = machine;
}

dp_sum_t dp_sum(const void *p, size_t len)
{
	return best(p, len);
}
