/*
 * How long a worker sleeps when its queues are empty: not at all for a while, then in growing
 * steps, never longer than its receive ring takes to fill. Pure; one thread.
 *
 * Waking up costs a few microseconds, or, in a virtual machine, dozens. So after a tenth of a
 * second without a packet the sleeps grow further, but only as far as it takes to stay at
 * DP_REST_PERMILLE of a core, and never beyond DP_REST_SLOW_US.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DP_REST_SPINS    32     /* empty rounds before the first sleep */
#define DP_REST_FIRST_US 5      /* that sleep; each further one is twice as long */
#define DP_REST_LEAST_US 20     /* bounds of the bound */
#define DP_REST_MOST_US  50     /* what a lone packet may wait for */
#define DP_REST_SLOW_US  250    /* the same where waking up is dear, after a while */
#define DP_REST_AFTER_US 100000 /* of sleep without a packet: that while */
#define DP_REST_PERMILLE 40     /* of a core, that sleeping may cost */
#define DP_REST_LONG_US  300    /* of sleep without a packet: from then on it may wait for one */
#define DP_REST_WAIT_US  5000   /* the longest wait: bounds how stale a worker's ack can be */

struct dp_rest {
	uint32_t empty;    /* rounds without a packet since the last one with */
	uint32_t sleep_us; /* the last sleep's length */
	uint32_t bound_us; /* the longest sleep */
	uint32_t slow_us;  /* the same after a while */
	uint32_t most_us;  /* that slow_us may become */
	uint32_t slept_us; /* in all, since the last round with a packet or the last wait */
	bool poll;         /* never sleep */
};

/**
 * @param ring   Smallest receive ring, in packets.
 * @param mbps   Fastest link's speed; 0: unknown.
 */
void dp_rest_init(struct dp_rest *r, bool poll, uint32_t ring, uint32_t mbps);

/** A round brought packets. */
static inline void dp_rest_busy(struct dp_rest *r)
{
	r->empty = 0;
	r->sleep_us = 0;
	r->slept_us = 0;
}

/** Whether it has slept for so long without a packet that it may wait for one. */
static inline bool dp_rest_is_long(const struct dp_rest *r)
{
	return r->slept_us >= DP_REST_LONG_US;
}

/** Whether it has slept for so long without a packet that slow_us bounds its sleeps. */
static inline bool dp_rest_is_slow(const struct dp_rest *r)
{
	return r->slept_us >= DP_REST_AFTER_US;
}

/** What sleeping cost: CPU time in a span of time in which it was slow throughout. */
void dp_rest_weigh(struct dp_rest *r, uint64_t cpu_us, uint64_t span_us);

/** A round brought none. @return microseconds to sleep; 0: go on polling. */
uint32_t dp_rest_next(struct dp_rest *r);
