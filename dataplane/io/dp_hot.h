/*
 * Which sources of a worker's queue are hot: so busy that the queue runs full while other workers
 * have room. The new transactions of a hot source are spread over all workers by Call-ID.
 *
 * Sources (address and port) are kept in buckets, so that a queue with one trunk and one with many
 * thousand phones are the same case. A bucket is marked when the queue ran full and a good part of
 * it was the bucket's; it stays marked until none of its requests has been spread for
 * DP_HOT_HOLD_US, when no retransmission of any can come any more, so that no transaction changes
 * its worker as a source turns hot or cool.
 *
 * Pure; belongs to one worker. Costs one test a burst while nothing is hot.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"

#define DP_HOT_BUCKETS 1024
#define DP_HOT_HOLD_US 32000000ull /* 64*T1, RFC 3261 17.1.1.1 */

struct dp_hot {
	uint32_t n_marked;
	bool ever;      /* a bucket has been marked since the start */
	uint32_t swept; /* next bucket to look at for its end */
	uint32_t pause; /* windows to let pass: what was marked last must show first */
	/* the window: */
	uint32_t some, full; /* receive calls that brought packets, and those that brought a whole
				burst of them */
	uint32_t n_samples;
	uint16_t samples[DP_HOT_BUCKETS];
	uint64_t until_us[DP_HOT_BUCKETS]; /* 0: not marked */
};

void dp_hot_init(struct dp_hot *h);

/** The bucket of a source. */
static inline uint32_t dp_hot_bucket(const struct dp_endpoint *source)
{
	uint64_t a, b;

	__builtin_memcpy(&a, source->ip.b, sizeof(a));
	__builtin_memcpy(&b, source->ip.b + 8, sizeof(b));
	/* Multiplied by 2^64 over the golden ratio (Knuth 6.4), the top bits taken. */
	a = (a ^ b * 31 ^ source->port) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(a >> 54);
}
_Static_assert(DP_HOT_BUCKETS == 1 << 10, "the top 10 bits");

/** Whether a bucket is marked. */
static inline bool dp_hot_is(const struct dp_hot *h, uint32_t bucket, uint64_t now_us)
{
	return h->until_us[bucket] > now_us;
}

/** A request of a marked bucket has been spread. */
static inline void dp_hot_keep(struct dp_hot *h, uint32_t bucket, uint64_t now_us)
{
	h->until_us[bucket] = now_us + DP_HOT_HOLD_US;
}

/** A receive call brought packets; a full burst: one of it came from this bucket. */
void dp_hot_burst(struct dp_hot *h, bool full, uint32_t bucket);

/**
 * The end of a window of some milliseconds: mark what must be marked, forget the window.
 * @param load   This worker's load in it, percent.
 * @param other  Mean load of the others.
 * @return how many buckets were marked.
 */
unsigned int dp_hot_window(struct dp_hot *h, unsigned int load, unsigned int other,
			   uint64_t now_us);
