/*
 * Packets that wait for a next hop's link-layer address: a bounded number of them, for a bounded
 * time, so that none is lost at first contact (RFC 1122 2.3.2.2 asks for at least one).
 *
 * A table belongs to one worker. It knows packets as opaque pointers, which it owns from put until
 * it hands them to a callback. All memory is taken at the start. Time is the caller's monotonic
 * clock.
 */
#pragma once

#include "dataplane/dp_net.h"

#define DP_HOLD_HOPS    64      /* next hops that are waited for at a time */
#define DP_HOLD_PACKETS 64      /* packets that wait for one of them */
#define DP_HOLD_US      1000000 /* the longest wait */
#define DP_HOLD_ASK_US  100000  /* between two questions for one next hop */

/** What the table's owner does; called from within the functions below. */
struct dp_hold_ops {
	/** Have the kernel resolve a next hop. */
	void (*ask)(void *arg, unsigned int port, const struct sip_ip *hop);
	/** A packet's next hop is known. The callee owns the packet. */
	void (*ready)(void *arg, void *packet, const struct dp_net_neigh *neigh);
	/** A packet has waited in vain. The callee owns the packet. */
	void (*expired)(void *arg, void *packet);
	void *arg;
};

struct dp_hold;

/** @param ops  Copied. @return NULL when out of memory. */
struct dp_hold *dp_hold_new(const struct dp_hold_ops *ops);

/** Every packet that still waits goes to ops->expired(). */
void dp_hold_free(struct dp_hold *h);

/**
 * Hold a packet, and ask for its next hop unless that was done within DP_HOLD_ASK_US.
 * @return 0, or -ENOSPC: too many wait; the packet stays the caller's.
 */
int dp_hold_put(struct dp_hold *h, unsigned int port, const struct sip_ip *hop, void *packet,
		uint64_t now_us);

/** After a newer snapshot came: let go, in the order they came, what it resolves. */
void dp_hold_flush(struct dp_hold *h, const struct dp_net *net);

/** Let go of what has waited for too long; ask again for what still waits. */
void dp_hold_tick(struct dp_hold *h, uint64_t now_us);

/** Packets that wait. */
unsigned int dp_hold_count(const struct dp_hold *h);
