/*
 * What a worker is made of, for the files that it is written in: dp_worker_new.c makes it,
 * dp_worker.c goes round, dp_burst.c handles what a round finds. One thread's.
 */
#pragma once

#include <rte_mbuf.h>

#include "dataplane/io/dp_idle.h"
#include "dataplane/io/dp_own.h"
#include "dataplane/io/dp_share.h"
#include "dataplane/io/dp_special.h"
#include "dataplane/io/dp_stall.h"
#include "dataplane/io/dp_tx.h"
#include "dataplane/io/dp_vlan.h"
#include "dataplane/io/dp_worker.h"

#define DP_BURST 32 /* packets that are received and handled at a time */

/* A queue that this worker receives from, and the exception queue beside it. */
struct dp_queue {
	uint8_t port;
	bool shares; /* the device of an earlier one, which receives for both */
	bool tagged; /* the device's frames are told apart by their VLAN */
	uint16_t queue;
	uint16_t dev, exception; /* of DPDK */
};

struct dp_worker {
	struct dp_shared *shared;
	struct dp_worker_block *block;
	struct dp_worker_counters *count;
	unsigned int index;
	uint8_t verify; /* enum dp_checksums */
	struct dp_view view;
	struct steer *steer;
	unsigned int n_queues;
	struct dp_queue queues[DP_MAX_PORTS];
	struct dp_vlans vlans[DP_MAX_PORTS]; /* of a queue's device */
	uint64_t now_us;
	uint64_t ticked_us;
	uint64_t steered_us;
	struct dp_stall stall;
	bool whole;        /* a queue gave a whole burst in this round */
	uint32_t links;    /* as last told to control */
	uint64_t claim_us; /* when a claim was last told to control */
	struct dp_own own; /* worker 0 announces our addresses */
	struct dp_idling idle;
	struct dp_special *special;
	struct dp_share share;
	struct dp_packet packets[DP_BURST];
	const struct dp_listener *listeners[DP_BURST]; /* theirs; NULL: for no listener */
	struct steer_in in[DP_BURST];
	struct steer_ahead ahead[DP_BURST];
	struct steer_verdict verdict;
	struct dp_tx tx;
	struct dp_net_marks marks; /* of the view's addresses */
};

/**
 * Handle n packets, up to DP_BURST, that a queue gave: each is sent, given to the kernel or to
 * another worker, or dropped and counted. They are no longer the caller's.
 */
void dp_burst_handle(struct dp_worker *w, const struct dp_queue *q, struct rte_mbuf **m,
		     uint16_t n);

/** The same for what other workers received and found to be ours. @return how many there were. */
unsigned int dp_burst_mail(struct dp_worker *w, struct rte_mbuf **m);

/** A datagram that was put together from fragments, and is ours; arg is the struct dp_worker. */
void dp_burst_whole(void *arg, unsigned int port, struct rte_mbuf *m);

/** Give a packet to another worker; arg is the struct dp_worker. */
void dp_burst_hand_over(void *arg, unsigned int owner, unsigned int port, struct rte_mbuf *m);
