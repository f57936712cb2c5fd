/*
 * Ways out that were found lately: route, next hop and neighbour of a destination, so that the
 * next packet there finds them at one place. One per worker; good for one snapshot, and emptied
 * when there is another.
 */
#pragma once

#include "dataplane/dp_net.h"

#define DP_WAYS_BITS 8
#define DP_WAYS      (1u << DP_WAYS_BITS) /* destinations that share a place take turns */

/** The way out for one packet, as far as the snapshot says. */
struct dp_way {
	struct sip_ip next;               /* whose link address is needed */
	const struct dp_net_neigh *neigh; /* NULL: not resolved */
	uint32_t port;
};

struct dp_ways {
	const struct dp_net *net; /* borrowed; NULL: there is no way */
	uint32_t n_ports;         /* that there are: a route by another one leads nowhere */
	struct {
		struct sip_ip to; /* unspecified: nothing is here */
		struct dp_way way;
	} slot[DP_WAYS];
};

/** Another snapshot, or the same one anew: nothing that was found holds any longer. */
void dp_ways_begin(struct dp_ways *w, const struct dp_net *net);

/** @return the way, borrowed until the next call; NULL: no route leads there. */
const struct dp_way *dp_ways_find(struct dp_ways *w, const struct sip_ip *to);
