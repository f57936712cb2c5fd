/*
 * What comes for our addresses and is no whole datagram: fragments, and ICMP errors. Seldom, and
 * kept out of the worker's way. One per worker; only that worker's thread.
 *
 * Every function that takes an mbuf consumes it.
 */
#pragma once

#include "dataplane/io/dp_frags.h"
#include "dataplane/io/dp_tx.h"

struct dp_special_params {
	struct dp_tx *tx; /* borrowed, as all here */
	struct steer *steer;
	struct dp_pmtu *pmtu;
	const struct dp_secret *flow_key; /* dp_flow_label() */
	struct dp_worker_counters *count;
	const struct dp_view *view; /* what the worker holds at the time */
	uint8_t verify;             /* enum dp_checksums */
	uint64_t seed;              /* unpredictable */
	/** A datagram that was put together, for a listener: one frame in one buffer. The callee
	 * owns it. */
	void (*deliver)(void *arg, unsigned int port, struct rte_mbuf *m);
	/** Give a packet as it came to another worker, which owns it then. */
	void (*hand_over)(void *arg, unsigned int owner, unsigned int port, struct rte_mbuf *m);
	void *arg;
};

struct dp_special;

/** @return NULL when out of memory. All memory is taken here. */
struct dp_special *dp_special_new(const struct dp_special_params *p);
void dp_special_free(struct dp_special *x);

/**
 * Take a packet of kind DP_PACKET_FRAGMENT or DP_PACKET_ICMP. What is not for a listener goes to
 * the kernel, and an error about another worker's request to that worker, by `hand_over`. With
 * several workers: a fragment is given to the one that dp_special_owner() names.
 */
void dp_special_packet(struct dp_special *x, unsigned int port, struct rte_mbuf *m,
		       const struct dp_packet *p);

/** Which worker is to have a packet of kind DP_PACKET_FRAGMENT: dp_fragment_owner()'s; worker
 * `here` when it is malformed or not for an address of ours, since nobody puts it together. */
unsigned int dp_special_owner(const struct dp_special *x, const struct rte_mbuf *m,
			      const struct dp_packet *p, unsigned int here, unsigned int n_workers);

/** Let go of fragments that have waited for too long. */
void dp_special_tick(struct dp_special *x, uint64_t now_us);
