/*
 * Egress: a verdict carried out on its packet, the way to the next hop, and the queues that leave
 * at each burst's end. One per worker; only that worker's thread.
 *
 * Every function that takes an mbuf consumes it: sent, held or dropped with a counted reason.
 */
#pragma once

#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "dataplane/dp_net.h"
#include "dataplane/io/dp_classify.h"
#include "dataplane/io/dp_hold.h"
#include "dataplane/io/dp_pmtu.h"
#include "dataplane/io/dp_pools.h"
#include "dataplane/io/dp_port.h"
#include "dataplane/io/dp_punt.h"
#include "dataplane/io/dp_rewrite.h"
#include "dataplane/io/dp_used.h"
#include "dataplane/io/dp_ways.h"
#include "dataplane/steer/steer.h"

#define DP_TX_BURST 64

/** Packets that wait for the burst's end. */
struct dp_tx_queue {
	uint16_t dev, queue; /* of DPDK */
	uint16_t n;
	uint64_t bytes;       /* of those for the wire */
	rte_spinlock_t *lock; /* NULL: no other worker sends on this queue */
	struct rte_mbuf *m[DP_TX_BURST];
};

struct dp_tx {
	const struct dp_port *ports; /* borrowed */
	unsigned int n_ports;
	struct dp_pools pools; /* borrowed */
	struct dp_worker_counters *count;
	struct dp_event_ring *events;
	struct dp_hold *hold;
	const struct dp_cfg *cfg;         /* of this burst */
	const struct dp_pmtu *pmtu;       /* borrowed */
	const struct dp_secret *flow_key; /* borrowed: dp_flow_label() */
	uint64_t now_us;
	uint16_t ipv4_id;
	uint64_t random; /* IPv6's identifications come from it */
	struct dp_tx_queue port[DP_MAX_PORTS];
	struct dp_tx_queue kernel[DP_MAX_PORTS];
	struct dp_ways ways; /* of the snapshot in use: dp_ways_begin() */
	struct dp_used used;
	struct dp_punts punts;
	uint8_t scratch[DP_SCRATCH_SIZE];
};

struct dp_tx_params {
	unsigned int worker, n_workers;
	const struct dp_port *ports;
	unsigned int n_ports;
	struct dp_pools pools;
	struct dp_worker_block *block;
	const struct dp_pmtu *pmtu;              /* of all workers */
	const struct dp_secret *flow_key;        /* the same for all workers, spread */
	rte_spinlock_t (*locks)[DP_MAX_WORKERS]; /* [port][queue], for queues that workers share */
};

/** @return 0 or -ENOMEM. */
int dp_tx_init(struct dp_tx *t, const struct dp_tx_params *p);

/** What is still held is dropped and counted. */
void dp_tx_fini(struct dp_tx *t);

/**
 * Edit and send a datagram as a verdict of STEER_FORWARD says. What is larger than the way out
 * takes leaves in fragments, each in a buffer of its own that is no chain.
 */
void dp_tx_forward(struct dp_tx *t, struct rte_mbuf *m, const struct dp_packet *p,
		   const struct steer_verdict *v);

/** Send a verdict's answer in place of the request that lies in the mbuf. */
void dp_tx_answer(struct dp_tx *t, struct rte_mbuf *m, const struct dp_packet *p,
		  const struct steer_verdict *v);

/** The same for a request that came from the kernel by a port's exception netdev: back that way. */
void dp_tx_answer_kernel(struct dp_tx *t, unsigned int port, struct rte_mbuf *m,
			 const struct dp_packet *p, const struct steer_verdict *v);

/** Send a datagram that is no verdict on one that came in. Borrows its bytes. */
void dp_tx_send(struct dp_tx *t, const struct steer_send *out);

/** To the kernel, by the port's exception netdev, as it is, unless its class has had its share. */
void dp_tx_kernel(struct dp_tx *t, unsigned int port, struct rte_mbuf *m);

/** From the kernel to the wire, as it is but for the port's VLAN tag. */
void dp_tx_wire(struct dp_tx *t, unsigned int port, struct rte_mbuf *m);

/** A frame of our own to the wire. @param frame  Copied. */
void dp_tx_frame(struct dp_tx *t, unsigned int port, const uint8_t *frame, size_t len);

void dp_tx_drop(struct dp_tx *t, struct rte_mbuf *m, enum dp_reason reason);

/** Hand everything to the devices. */
void dp_tx_flush(struct dp_tx *t);
