/*
 * Ways out that were found lately: route, next hop and neighbour of a destination, so that the
 * next packet there finds them at one place. One per worker; good for one snapshot, and forgotten
 * when there is another.
 */
#pragma once

#include "dataplane/dp_net.h"

/* Destinations that share a place take turns. Places that nothing leads to cost no cache. */
#define DP_WAYS_BITS 14
#define DP_WAYS      (1u << DP_WAYS_BITS)

/** The way out for one packet, as far as the snapshot says. */
struct dp_way {
	union {
		struct sip_ip next; /* without `neigh`: whose link address is needed */
		uint8_t ether[16];  /* with it: its header, 14 bytes, as for a port without VLAN */
	};
	const struct dp_net_neigh *neigh; /* NULL: not resolved */
	uint64_t used_us; /* the owner's: when it last told that the neighbour is in use */
	uint32_t mtu;     /* of the port, or less as an operator said; IP bytes */
	uint8_t port;
	bool plain; /* `ether` is all that goes in front: there is a neighbour, and no VLAN */
};

/** A place: one cache line. */
struct dp_ways_slot {
	_Alignas(DP_CACHE_LINE) struct sip_ip to;
	struct dp_way way;
	uint32_t round; /* in which it was found */
};
_Static_assert(sizeof(struct dp_ways_slot) == DP_CACHE_LINE, "one line for each destination");

/** What a port is like, whatever the snapshot. */
struct dp_ways_port {
	uint16_t mtu;
	uint16_t exception_mtu; /* that its netdev had at the start: less is an operator's word */
	uint16_t vlan;          /* 0: none */
};

struct dp_ways {
	const struct dp_net *net; /* borrowed; NULL: there is no way */
	uint32_t n_ports;         /* that there are: a route by another one leads nowhere */
	uint32_t round;           /* one more with each snapshot; 0: of no slot in use */
	struct dp_ways_port port[DP_MAX_PORTS];
	struct dp_ways_slot slot[DP_WAYS];
};

/** Another snapshot, or the same one anew: nothing that was found holds any longer. */
void dp_ways_begin(struct dp_ways *w, const struct dp_net *net);

/* The product's highest bits, which all of the address reaches: neighbours differ in its last byte,
 * the highest one of the word. */
static inline unsigned int dp_ways_place(const struct sip_ip *to)
{
	uint64_t x[2];

	memcpy(x, to->b, sizeof(x));
	return (unsigned int)((x[0] ^ x[1]) * 0x9e3779b97f4a7c15ull >> (64 - DP_WAYS_BITS));
}

/** Have the place fetched where the way to a destination is looked for. Changes nothing. */
static inline void dp_ways_fetch(const struct dp_ways *w, const struct sip_ip *to)
{
	__builtin_prefetch(&w->slot[dp_ways_place(to)]);
}

/** Look a way up that is not remembered, and remember it. @return as dp_ways_find(). */
struct dp_way *dp_ways_look_up(struct dp_ways *w, const struct sip_ip *to);

/** @return the way, borrowed until the next call; NULL: no route leads there. */
static inline struct dp_way *dp_ways_find(struct dp_ways *w, const struct sip_ip *to)
{
	struct dp_ways_slot *s = &w->slot[dp_ways_place(to)];

	if (__builtin_expect(dp_ip_equal(&s->to, to) && s->round == w->round, 1))
		return &s->way;
	return dp_ways_look_up(w, to);
}
