/*
 * One IP fragment of a UDP datagram: its header read and judged, and which worker puts its datagram
 * together again. Pure functions over borrowed bytes; any thread.
 */
#pragma once

#include "dataplane/io/dp_classify.h"

/** A fragment. */
struct dp_fragment {
	struct sip_ip src, dst;
	uint32_t id;
	uint32_t off; /* of its data in the datagram, a multiple of 8 */
	uint32_t len; /* of its data */
	bool more;    /* it is not the last one */
	bool multicast;
	uint8_t tclass;
	uint8_t next;  /* protocol of the header that begins the datagram: IPv6 may have options */
	uint16_t port; /* that it came by, index into boot.ports: set by the caller */
	uint16_t data_off; /* of its data in the frame */
};

/**
 * Read a fragment.
 * @param p  Of the same frame, as dp_classify() filled it, kind DP_PACKET_FRAGMENT.
 * @param f  Out: filled when the outcome is DP_REASON_N, `port` 0.
 * @return   DP_REASON_N, or what is wrong with it: a truncated frame, bad options, a length that
 * none but a last fragment may have (RFC 791 3.2, RFC 8200 4.5), an end beyond what a packet can
 * hold.
 */
enum dp_reason dp_fragment_read(const uint8_t *frame, const struct dp_packet *p,
				struct dp_fragment *f);

/**
 * The destination of a datagram whose first fragment this is.
 * @return false: it is no UDP, or its headers do not fit the fragment (RFC 7112 forbids that).
 */
bool dp_fragment_to(const uint8_t *frame, const struct dp_fragment *f, struct dp_endpoint *to);

/**
 * Which worker reassembles the datagram: the same for all its fragments and in all workers, since
 * it depends on source and destination only. Not on the identification: datagrams of one source
 * would go different ways to the worker that their Call-ID names, and overtake each other. With one
 * worker, worker 0.
 */
unsigned int dp_fragment_owner(const struct dp_fragment *f, unsigned int n_workers);
