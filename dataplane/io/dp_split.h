/*
 * Fragmentation (RFC 791 3.2, RFC 8200 4.5): a packet of ours that is larger than the way out
 * takes, as fragments. Each is written on its own, so that it lies in one piece: some devices send
 * no chained buffers. Pure functions over bytes; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** A packet on its way into fragments. */
struct dp_split {
	const uint8_t *packet; /* borrowed: IP header without options or extension headers, data */
	uint32_t header;       /* its length */
	uint32_t data;         /* bytes behind it */
	uint32_t step;         /* of these in all fragments but the last, a multiple of 8 */
	uint32_t id;
	unsigned int n; /* fragments */
};

#define DP_SPLIT_MTU_MIN 576  /* RFC 791 3.1: every host takes that */
#define DP_SPLIT_MAX     128u /* fragments of one packet: 64 KiB over DP_SPLIT_MTU_MIN is 119 */

/**
 * Begin.
 * @param mtu  At least DP_SPLIT_MTU_MIN. @param id  For IPv6; IPv4 has it in the header.
 * @return how many fragments there are, at most DP_SPLIT_MAX.
 */
unsigned int dp_split_begin(struct dp_split *s, const uint8_t *packet, uint32_t len, uint32_t mtu,
			    uint32_t id);

/** Write fragment i (at most mtu bytes) to out. @return its length. */
uint32_t dp_split_put(const struct dp_split *s, unsigned int i, uint8_t *out);
