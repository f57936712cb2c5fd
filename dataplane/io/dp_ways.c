#include "dataplane/io/dp_ways.h"

#include <string.h>

static const struct sip_ip none; /* no gateway */

void dp_ways_begin(struct dp_ways *w, const struct dp_net *net)
{
	w->net = net;
	/* Once in 2^32 times, a round that has been before. */
	if (++w->round == 0) {
		memset(w->slot, 0, sizeof(w->slot));
		w->round = 1;
	}
}

/* The product's highest bits, which all of the address reaches: neighbours differ in its last byte,
 * the highest one of the word. */
static unsigned int place_of(const struct sip_ip *to)
{
	uint64_t x[2];

	memcpy(x, to->b, sizeof(x));
	return (unsigned int)((x[0] ^ x[1]) * 0x9e3779b97f4a7c15ull >> (64 - DP_WAYS_BITS));
}

static bool look_up(const struct dp_ways *w, const struct sip_ip *to, struct dp_way *way)
{
	const struct dp_net_route *r = w->net ? dp_net_route(w->net, to) : NULL;

	if (!r || r->unreachable || r->port >= w->n_ports || r->port >= w->net->n_ports)
		return false;
	way->next = dp_ip_equal(&r->gateway, &none) ? *to : r->gateway;
	way->port = r->port;
	way->neigh = dp_net_neigh(w->net, r->port, &way->next);
	/* An address of ours is nobody's neighbour, and must not be asked for. */
	return way->neigh || !dp_net_own(w->net, &way->next);
}

void dp_ways_fetch(const struct dp_ways *w, const struct sip_ip *to)
{
	__builtin_prefetch(&w->slot[place_of(to)]);
}

const struct dp_way *dp_ways_find(struct dp_ways *w, const struct sip_ip *to)
{
	struct dp_ways_slot *s = &w->slot[place_of(to)];

	if (dp_ip_equal(&s->to, to) && s->round == w->round)
		return &s->way;
	s->round = 0;
	if (!look_up(w, to, &s->way))
		return NULL;
	s->to = *to;
	s->round = w->round;
	return &s->way;
}
