/*
 * The network half of a snapshot: our addresses, the kernel's routes and neighbours, mirrored by
 * control from netlink. Flat, position-independent, never modified once published. Read by workers
 * when a packet leaves.
 */
#pragma once

#include <string.h>

#include "dataplane/dp_cfg.h"

struct dp_net_port {
	uint8_t mac[6];
	uint16_t mtu; /* of the exception netdev, IP bytes */
	uint8_t up;
	uint8_t reserved[7];
};

struct dp_net_addr {
	struct sip_ip ip;
	uint8_t prefix_len; /* of 128 */
	uint8_t port;       /* index into boot.ports */
	uint8_t broadcast;  /* this is a subnet's broadcast address, not one of ours */
	uint8_t reserved[5];
};

struct dp_net_route {
	struct sip_ip prefix;
	struct sip_ip gateway; /* all zero: on-link */
	uint8_t prefix_len;    /* of 128: an IPv4 default route is 96 */
	uint8_t port;
	uint8_t unreachable; /* unreachable, blackhole, prohibit, or through a netdev that is not
				ours */
	uint8_t reserved;
	uint32_t metric;
};

struct dp_net_neigh {
	struct sip_ip ip;
	uint8_t mac[6];
	uint8_t port;
	uint8_t valid; /* 0: an empty bucket */
};

/** Routes [start, end) that share one prefix length, sorted by prefix, then metric. */
struct dp_net_len {
	uint32_t start, end;
	uint32_t prefix_len; /* of 128 */
};

struct dp_net {
	uint64_t size;
	uint64_t serial;
	uint32_t n_ports, ports;   /* struct dp_net_port[], as in boot.ports */
	uint32_t n_addrs, addrs;   /* struct dp_net_addr[] */
	uint32_t n_routes, routes; /* struct dp_net_route[], IPv4 and IPv6, longest prefix first */
	uint32_t neigh_hash_size;  /* a power of two, at most half full */
	uint32_t neighs;           /* struct dp_net_neigh[], open addressing */
	uint32_t n_lens, lens;     /* struct dp_net_len[], longest first: those in use */
};

/** What the kernel says about a port, below n_ports. */
static inline const struct dp_net_port *dp_net_port(const struct dp_net *n, unsigned int port)
{
	return (const struct dp_net_port *)(const void *)((const uint8_t *)n + n->ports) + port;
}

/** Address of ours? @return its entry or NULL. Linear in the number of addresses. */
const struct dp_net_addr *dp_net_own(const struct dp_net *n, const struct sip_ip *ip);

/** Marks of our addresses, by which most that are none are told without comparing. */
#define DP_NET_MARKS 1024
struct dp_net_marks {
	uint64_t bits[DP_NET_MARKS / 64];
};

/** The marks of a snapshot; NULL: of none. */
void dp_net_mark(struct dp_net_marks *m, const struct dp_net *n);

static inline unsigned int dp_net_mark_place(const struct sip_ip *ip)
{
	uint32_t last;

	memcpy(&last, ip->b + 12, sizeof(last));
	return last * 0x9e3779b1u / (UINT32_MAX / DP_NET_MARKS + 1);
}

/** Whether dp_net_own() may find one: true for each that it finds, and for few others. */
static inline bool dp_net_may_own(const struct dp_net_marks *m, const struct sip_ip *ip)
{
	unsigned int place = dp_net_mark_place(ip);

	return m->bits[place / 64] >> place % 64 & 1;
}

/** Longest-prefix match; binary search per prefix length in use. NULL: no route. */
const struct dp_net_route *dp_net_route(const struct dp_net *n, const struct sip_ip *ip);

/** The resolved neighbour, or NULL. O(1). */
const struct dp_net_neigh *dp_net_neigh(const struct dp_net *n, unsigned int port,
					const struct sip_ip *ip);

uint32_t dp_net_neigh_hash(unsigned int port, const struct sip_ip *ip);
