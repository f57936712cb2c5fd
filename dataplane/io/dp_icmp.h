/*
 * ICMP and ICMPv6 errors about UDP packets (RFC 792, RFC 4443 2.4): whose packet is quoted, and
 * what went wrong with it. Pure functions over borrowed bytes; any thread.
 *
 * Nothing in an error is to be believed by itself: anybody can send one. What it quotes is handed
 * to steering, which looks for its own mark in it.
 */
#pragma once

#include "dataplane/io/dp_classify.h"

enum dp_icmp_kind {
	DP_ICMP_IGNORED,     /* nothing that a transport acts on */
	DP_ICMP_UNREACHABLE, /* net, host, protocol or port: RFC 3261 18.4 */
	DP_ICMP_TOO_BIG,     /* of a smaller MTU on the path */
};

struct dp_icmp {
	uint8_t kind; /* enum dp_icmp_kind */
	uint8_t type, code;
	bool v6;
	uint32_t mtu;            /* of DP_ICMP_TOO_BIG; 0: the router does not say */
	struct dp_endpoint from; /* of the quoted packet */
	struct dp_endpoint to;
	uint32_t flow;        /* its flow label, over IPv6 */
	const uint8_t *quote; /* of its UDP payload, borrowed from the frame */
	uint32_t quote_len;
};

enum dp_icmp_outcome {
	DP_ICMP_NOT_UDP, /* about something that no listener sent: for the kernel */
	DP_ICMP_BROKEN,  /* the quoted packet is cut short or impossible */
	DP_ICMP_READ,
};

/**
 * Read an error.
 * @param p  Of the same frame, as dp_classify() filled it, kind DP_PACKET_ICMP.
 * @param e  Out: filled when DP_ICMP_READ.
 */
enum dp_icmp_outcome dp_icmp_read(const uint8_t *frame, const struct dp_packet *p,
				  struct dp_icmp *e);

/** Whether the error's checksum is right. For DP_PACKET_ICMP. */
bool dp_icmp_sum(const uint8_t *frame, const struct dp_packet *p);
