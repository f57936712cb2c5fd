/*
 * Rewriting: a datagram's payload is edited where it lies, and new headers are put in front.
 *
 * Debian's DPDK leaves 128 bytes before a frame, and a Via with a Record-Route takes up to 300. So
 * the part up to the last edit, which is short, moves towards the buffer's start if there is room
 * for all of the growth (the old headers are room too), else the rest moves towards its end; where
 * neither has room enough, both move.
 * The UDP checksum follows from the old one and the bytes that changed (RFC 1624), so a
 * payload that was damaged on its way here or inside this machine stays detectable.
 *
 * Pure functions over a byte buffer that has room at both ends; knows no mbuf. One thread per
 * buffer and scratch.
 */
#pragma once

#include "dataplane/io/dp_classify.h"
#include "sip/sip_edit.h"

/** A frame in its buffer. */
struct dp_frame {
	uint8_t *buf;  /* borrowed */
	uint32_t size; /* of buf */
	uint32_t off;  /* the frame is [off, off + len) */
	uint32_t len;
};

/** Where the new payload lies, before headers are written in front of it. */
struct dp_payload {
	uint32_t off; /* in the frame's buffer */
	uint32_t len;
	uint64_t sum; /* its ones' complement sum (dp_checksum.h), when `summed` */
	bool summed;
};

#define DP_SCRATCH_SIZE 65536 /* for the longest payload */

/** Headers that a datagram leaves with. */
struct dp_headers {
	struct dp_endpoint from, to; /* of one family */
	uint16_t ipv4_id; /* of each datagram another one: it may be fragmented on its way */
	uint8_t tclass;
	bool offload;  /* the device fills in the UDP checksum: leave the pseudo-header's sum */
	uint32_t flow; /* IPv6's flow label */
};

/**
 * Edit a classified datagram's payload in place. Its old headers are lost.
 * @param f        Its frame. `off` and `len` become those of the payload alone.
 * @param es       What it inserts may lie in the payload itself.
 * @param scratch  DP_SCRATCH_SIZE bytes.
 * @param out      Out: the edited payload; summed unless the datagram came without checksum.
 * @return 0, or -ENOSPC when it does not fit the buffer with DP_HEADERS_MAX bytes in front;
 * nothing has changed then.
 */
int dp_rewrite_payload(struct dp_frame *f, const struct dp_packet *p, const struct sip_edits *es,
		       uint8_t *scratch, struct dp_payload *out);

/**
 * Write UDP and IP headers in front of a payload: TTL or hop limit 64 (we are the new sender, RFC
 * 3261 16.6), ECN cleared, IPv4 without DF, so that a router with a smaller MTU can pass it on.
 * @param f  Becomes the IP packet.
 * @return   Ethertype of the packet.
 */
uint16_t dp_rewrite_headers(struct dp_frame *f, const struct dp_payload *pl,
			    const struct dp_headers *h);

/** Bytes of IP packet that a payload to `to` makes. */
static inline uint32_t dp_rewrite_ip_len(const struct sip_ip *to, uint32_t payload_len)
{
	return (dp_ip_is_v4(to) ? DP_IPV4_LEN : DP_IPV6_LEN) + DP_UDP_LEN + payload_len;
}

/** Put an Ethernet header in front. */
void dp_rewrite_ether(struct dp_frame *f, const uint8_t *dst, const uint8_t *src,
		      uint16_t ethertype);
