/*
 * The lot of a target with weight w is -log2(u) / w for a u that is uniform in (0, 1) and depends
 * on nothing but names: the smallest lot comes first. That is a draw without replacement in
 * proportion to the weights (Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
 * 2006), hence RFC 2782's. The logarithm is computed in integers, so that every machine gets the
 * same.
 */
#include "control/dns/ctl_dns_order.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BITS 26 /* behind the point */

/* RFC 2782: weight 0 has "a very small chance of being selected" before others. */
#define UNITS_PER_WEIGHT 65536u
#define UNITS_OF_ZERO    1u

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211ull;
	return h;
}

/* FNV-1a's high bits are poor; this spreads them (the finisher of MurmurHash3). */
static uint64_t spread(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

/* -log2(u / 2^63) for u in [1, 2^63), fixed point; less than 2^32. */
static uint64_t neg_log2(uint64_t u)
{
	unsigned int whole = 63u - (unsigned int)__builtin_clzll(u);
	uint64_t m = u << (63 - whole) >> 32; /* in [1, 2), 31 bits behind the point */
	uint64_t log = (uint64_t)whole << LOG_BITS;

	for (unsigned int bit = LOG_BITS; bit-- > 0;) {
		m *= m; /* in [1, 4), 62 bits */
		if (m >> 63)
			log |= 1ull << bit;
		m >>= m >> 63 ? 32 : 31;
	}
	return (63ull << LOG_BITS) - log;
}

static uint64_t lot(const struct ctl_dns_server *s, const char *seed)
{
	uint64_t h = mix(14695981039346656037ull, seed, strlen(seed) + 1);
	uint64_t units = s->weight ? (uint64_t)s->weight * UNITS_PER_WEIGHT : UNITS_OF_ZERO;

	h = mix(h, s->target, strlen(s->target) + 1);
	h = mix(h, &(uint8_t[]){ (uint8_t)(s->at.port >> 8), (uint8_t)s->at.port }, 2);
	h = spread(h) >> 1;
	return (neg_log2(h ? h : 1) << 31) / units;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_place(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	bool a4 = dp_ip_is_v4(&a->ip), b4 = dp_ip_is_v4(&b->ip);

	if (a4 != b4)
		return a4 ? 1 : -1;
	return memcmp(&a->ip, &b->ip, sizeof(a->ip));
}

static int by_order(const void *a, const void *b, void *seed)
{
	const struct ctl_dns_server *x = a, *y = b;
	int c = compare_u64(x->priority, y->priority);

	if (c == 0)
		c = compare_u64(lot(x, seed), lot(y, seed));
	/* The same lot by chance: any rule will do that is always the same. */
	if (c == 0)
		c = strcmp(x->target, y->target);
	if (c == 0)
		c = compare_u64(x->at.port, y->at.port);
	if (c == 0)
		c = compare_place(&x->at, &y->at);
	return c ? c : compare_u64(y->weight, x->weight);
}

static bool is_in(const struct ctl_dns_server *v, size_t n, const struct dp_endpoint *at)
{
	for (size_t i = 0; i < n; i++) {
		if (dp_ip_equal(&v[i].at.ip, &at->ip) && v[i].at.port == at->port
		    && v[i].at.transport == at->transport)
			return true;
	}
	return false;
}

size_t ctl_dns_order(struct ctl_dns_server *v, size_t n, const char *seed)
{
	size_t kept = 0;

	qsort_r(v, n, sizeof(*v), by_order, (char *)(uintptr_t)seed);
	for (size_t i = 0; i < n; i++) {
		if (!is_in(v, kept, &v[i].at))
			v[kept++] = v[i];
	}
	return kept;
}
