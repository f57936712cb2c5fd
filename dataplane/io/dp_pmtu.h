/*
 * What is known of paths that take smaller packets than the port (RFC 1191, RFC 8201): lowered by
 * ICMP errors that were proven to be about packets of ours, forgotten after ten minutes
 * (RFC 8201 4), never below what every path has to take. Bounded; where a bucket is full the one
 * that would be forgotten first goes.
 *
 * One table for all workers: an error comes to any of them. Writers take turns; a reader never
 * waits, and takes what it cannot read whole for unknown.
 */
#pragma once

#include <stdatomic.h>

#include "dataplane/dp_cfg.h"

#define DP_PMTU_SLOTS 1024 /* a power of two */
#define DP_PMTU_WAYS  4
#define DP_PMTU_US    600000000ull
#define DP_PMTU_MIN4  576  /* a host must take that much: nobody needs to be believed beyond */
#define DP_PMTU_MIN6  1280 /* RFC 8200 5 */

struct dp_pmtu_slot {
	_Atomic uint32_t seq; /* odd while it is written */
	_Atomic uint32_t mtu;
	_Atomic uint64_t ip[2];
	_Atomic uint64_t until_us; /* 0: free */
};

struct dp_pmtu {
	_Atomic uint64_t until_us; /* the last of all is forgotten then: nothing to look up */
	atomic_flag lock;
	struct dp_pmtu_slot slot[DP_PMTU_SLOTS];
};

/** All zero is an empty table, but for the lock. */
void dp_pmtu_init(struct dp_pmtu *t);

/** Look one up. @return the path's MTU, or UINT32_MAX. Any thread. */
uint32_t dp_pmtu_find(const struct dp_pmtu *t, const struct sip_ip *to, uint64_t now_us);

/** What is known of a path. Costs one load while nothing is known of any. */
static inline uint32_t dp_pmtu_get(const struct dp_pmtu *t, const struct sip_ip *to,
				   uint64_t now_us)
{
	if (__builtin_expect(now_us >= atomic_load_explicit(&t->until_us, memory_order_relaxed), 1))
		return UINT32_MAX;
	return dp_pmtu_find(t, to, now_us);
}

/**
 * A router says that a path takes no more than mtu bytes; 0: it does not say how much.
 * @return the path's MTU from now on, or 0 when it was so low before. Any thread.
 */
uint32_t dp_pmtu_lower(struct dp_pmtu *t, const struct sip_ip *to, uint32_t mtu, uint64_t now_us);
