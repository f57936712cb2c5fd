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
	struct sip_ip next;               /* whose link address is needed */
	const struct dp_net_neigh *neigh; /* NULL: not resolved */
	uint32_t port;
};

/** A place: one cache line. */
struct dp_ways_slot {
	_Alignas(DP_CACHE_LINE) struct sip_ip to;
	struct dp_way way;
	uint32_t round; /* in which it was found */
};
_Static_assert(sizeof(struct dp_ways_slot) == DP_CACHE_LINE, "one line for each destination");

struct dp_ways {
	const struct dp_net *net; /* borrowed; NULL: there is no way */
	uint32_t n_ports;         /* that there are: a route by another one leads nowhere */
	uint32_t round;           /* one more with each snapshot; 0: of no slot in use */
	struct dp_ways_slot slot[DP_WAYS];
};

/** Another snapshot, or the same one anew: nothing that was found holds any longer. */
void dp_ways_begin(struct dp_ways *w, const struct dp_net *net);

/** Have the place fetched where the way to a destination is looked for. Changes nothing. */
void dp_ways_fetch(const struct dp_ways *w, const struct sip_ip *to);

/** @return the way, borrowed until the next call; NULL: no route leads there. */
const struct dp_way *dp_ways_find(struct dp_ways *w, const struct sip_ip *to);
