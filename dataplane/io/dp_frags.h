/*
 * Reassembly of UDP datagrams from IP fragments (RFC 791 3.2, RFC 8200 4.5), as they come: in any
 * order, doubled, or not all of them.
 *
 * Only a first fragment has ports. So until it has come a datagram's fragments are kept; then it is
 * either for a listener, and is put together when all are there, or it is the kernel's, which gets
 * every fragment as it came. Fragments that overlap take their datagram with them (RFC 5722, for
 * IPv4 alike: RFC 3128); one that came twice is dropped alone (RFC 8200 4.5).
 *
 * DPDK's rte_ip_frag is not used: it takes at most 8 fragments, where 64 KiB come in 45, cannot
 * tell an overlap from a fragment that came twice, and has no limit per source.
 *
 * Bounds: DP_FRAGS_PACKETS fragments of DP_FRAGS_DATAGRAMS datagrams, and less for one source (an
 * IPv4 address, an IPv6 /64), so that a flood pushes out its own. Where a bound is met the oldest
 * datagram goes, of the source whose bound it is. A datagram has DP_FRAGS_US from its first
 * fragment on: SIP's own retransmissions begin sooner, so what comes later is of no use.
 *
 * Knows packets as opaque pointers, which it owns from dp_frags_put() until it hands them to a
 * callback. All memory is taken at the start. One thread.
 */
#pragma once

#include "dataplane/io/dp_fragment.h"

#define DP_FRAGS_PACKETS          2048
#define DP_FRAGS_DATAGRAMS        1024
#define DP_FRAGS_PIECES           128 /* of one datagram: 64 KiB over an MTU of 576 is 119 */
#define DP_FRAGS_SOURCE_PACKETS   512
#define DP_FRAGS_SOURCE_DATAGRAMS 128
#define DP_FRAGS_US               5000000

/** A datagram that is complete. Borrowed by the callee until it returns. */
struct dp_frags_datagram {
	const struct dp_fragment *first;
	uint32_t len; /* of all data */
	const struct dp_frags *table;
	uint32_t piece; /* index of the first one */
};

/** What the table's owner does; called from within the functions below. */
struct dp_frags_ops {
	/** Whether one of our listeners has this address and port. */
	bool (*wanted)(void *arg, const struct dp_endpoint *to);
	/** A fragment of a datagram that is not for us: for the kernel. The callee owns it. */
	void (*pass)(void *arg, void *packet, unsigned int port);
	/** The callee owns the packet. DP_REASON_N: it is part of what whole() got. */
	void (*drop)(void *arg, void *packet, enum dp_reason reason);
	/** A datagram for a listener. Its packets go to drop() afterwards. */
	void (*whole)(void *arg, const struct dp_frags_datagram *d);
	void *arg;
};

struct dp_frags;

/** @param seed  Unpredictable, for the hash tables. @return NULL when out of memory. */
struct dp_frags *dp_frags_new(const struct dp_frags_ops *ops, uint64_t seed);

/** What is still kept goes to ops->drop(). */
void dp_frags_free(struct dp_frags *t);

/**
 * Take a fragment.
 * @param f       Copied.
 * @param frame   Where it lies, as long as the packet lives.
 * @param packet  Owned by the table from here on, or handed on before this returns.
 * @param now_us  Monotonic.
 */
void dp_frags_put(struct dp_frags *t, const struct dp_fragment *f, const uint8_t *frame,
		  void *packet, uint64_t now_us);

/** Let go of what has waited for too long. */
void dp_frags_tick(struct dp_frags *t, uint64_t now_us);

/** Fragments that are kept. */
unsigned int dp_frags_count(const struct dp_frags *t);

/** Longest frame that dp_frags_frame() writes: what an mbuf can hold. */
#define DP_FRAGS_FRAME_MAX 65535u

/**
 * Write a complete datagram as one frame: Ethernet header (only the group bit of its destination is
 * true), IP header without options and with the right checksum, data.
 * @return its length, or 0 when it is longer than `size`, or than an IP packet can be.
 */
uint32_t dp_frags_frame(const struct dp_frags_datagram *d, uint8_t *out, uint32_t size);
