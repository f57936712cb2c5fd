/*
 * A ring of pointers between two threads: one puts, one takes, neither ever waits.
 *
 * Each side owns one index, on a cache line of its own with its last sight of the other's, so that
 * lines move between the two only when a side has used up what it saw. What was written before a
 * put is visible after the take that brings the pointer.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/dp_region.h"

struct dp_spsc {
	_Alignas(DP_CACHE_LINE) _Atomic uint32_t head; /* putter: wo, taker: ro; modulo 2^32 */
	uint32_t tail_seen;                            /* putter's */
	_Alignas(DP_CACHE_LINE) _Atomic uint32_t tail; /* taker: wo, putter: ro */
	uint32_t head_seen;                            /* taker's */
	_Alignas(DP_CACHE_LINE) uint32_t size;         /* a power of two; constant */
	void **slots;
};

/** @param size  Rounded up to a power of two, at least 1 and at most 2^16. @return 0 or -ENOMEM. */
int dp_spsc_init(struct dp_spsc *r, uint32_t size);

/** While neither side uses it. What lies in it is the caller's to take first. */
void dp_spsc_fini(struct dp_spsc *r);

/** Putter's thread. @return how many of the n were put, the first ones; fewer when it is full. */
uint32_t dp_spsc_put(struct dp_spsc *r, void *const *p, uint32_t n);

/** Taker's thread. @return how many were taken, in the order they were put; at most n. */
uint32_t dp_spsc_take(struct dp_spsc *r, void **p, uint32_t n);
