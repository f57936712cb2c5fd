/*
 * Classification: a frame's Ethernet, IP and UDP headers into one fixed record. Everything after it
 * (listener look-up, rewriting) works from the record and never parses these headers again.
 *
 * Knows no listeners: what is wrong with a datagram is noted, and only counts once it turns out to
 * be for one; what is for nobody goes to the kernel as it came, and the kernel judges it. Pure
 * functions over borrowed bytes; any thread.
 */
#pragma once

#include "dataplane/dp_cfg.h"

enum dp_packet_kind {
	DP_PACKET_OTHER,    /* nothing that a listener could want: for the kernel */
	DP_PACKET_UDP,      /* src, dst and payload are set */
	DP_PACKET_FRAGMENT, /* of a UDP datagram: addresses are set; see dp_fragment.h */
	DP_PACKET_ICMP,     /* an ICMP or ICMPv6 error: addresses are set; see dp_icmp.h */
};

#define DP_ETHER_LEN   14u
#define DP_IPV4_LEN    20u
#define DP_IPV6_LEN    40u
#define DP_UDP_LEN     8u
#define DP_ETHER_IPV4  0x0800
#define DP_ETHER_IPV6  0x86dd
#define DP_ETHER_VLAN  0x8100 /* IEEE 802.1Q */
#define DP_VLAN_LEN    4u
#define DP_HEADERS_MAX 80u /* room for all headers of a frame that we send, a VLAN tag included */

struct dp_packet {
	uint8_t kind;   /* enum dp_packet_kind */
	uint8_t reason; /* enum dp_reason: why a listener must not have it; DP_REASON_N: sound */
	uint8_t tclass; /* DSCP and ECN */
	bool multicast; /* link-layer destination is multicast or broadcast */
	uint16_t l3_off;
	uint16_t l4_off; /* UDP or ICMP header; of a fragment IPv6's fragment header, IPv4's data */
	uint16_t payload_off; /* of UDP */
	uint16_t payload_len; /* of UDP; of an ICMP error all from l4_off on */
	struct dp_endpoint src;
	struct dp_endpoint dst;
};

/**
 * Classify a frame.
 * @param p  Out: filled entirely. `reason` judges everything but the checksums.
 */
void dp_classify(const uint8_t *frame, size_t len, struct dp_packet *p);

/** The same in one way for all frames, without the quick one for those that are plain: tests hold
 * both equal. */
void dp_classify_whole(const uint8_t *frame, size_t len, struct dp_packet *p);

/** Whether the IPv4 header's checksum is right; true for IPv6. For all kinds but DP_PACKET_OTHER.
 */
bool dp_classify_ip_sum(const uint8_t *frame, const struct dp_packet *p);

/**
 * Whether the UDP checksum is right, or absent where that is allowed (over IPv4: RFC 768). For
 * DP_PACKET_UDP whose reason is DP_REASON_N.
 */
bool dp_classify_udp_sum(const uint8_t *frame, const struct dp_packet *p);

/** Sum of the pseudo-header (RFC 768; RFC 8200 8.1) of a datagram of udp_len bytes. */
uint64_t dp_pseudo_sum(const struct sip_ip *src, const struct sip_ip *dst, uint16_t udp_len);
