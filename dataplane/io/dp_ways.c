#include "dataplane/io/dp_ways.h"

#include <string.h>

#include "dataplane/io/dp_classify.h"

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

/* The neighbour's MAC, and the kernel's: it is what the kernel tells our neighbours. */
static void put_ether(struct dp_way *way, const struct dp_net_port *np, const struct sip_ip *to)
{
	bool v4 = dp_ip_is_v4(to);

	memcpy(way->ether, way->neigh->mac, 6);
	memcpy(way->ether + 6, np->mac, 6);
	way->ether[12] = v4 ? DP_ETHER_IPV4 >> 8 : DP_ETHER_IPV6 >> 8;
	way->ether[13] = v4 ? DP_ETHER_IPV4 & 0xff : DP_ETHER_IPV6 & 0xff;
}

static bool look_up(const struct dp_ways *w, const struct sip_ip *to, struct dp_way *way)
{
	const struct dp_net_route *r = w->net ? dp_net_route(w->net, to) : NULL;
	const struct dp_net_port *np;
	const struct dp_ways_port *p;

	if (!r || r->unreachable || r->port >= w->n_ports || r->port >= w->net->n_ports)
		return false;
	np = dp_net_port(w->net, r->port);
	p = &w->port[r->port];
	*way = (struct dp_way){
		.next = dp_ip_equal(&r->gateway, &none) ? *to : r->gateway,
		/* An operator may have lowered it, with `ip link`. */
		.mtu = np->mtu && np->mtu < p->exception_mtu ? np->mtu : p->mtu,
		.port = r->port,
	};
	way->neigh = dp_net_neigh(w->net, r->port, &way->next);
	/* An address of ours is nobody's neighbour, and must not be asked for. */
	if (!way->neigh)
		return !dp_net_own(w->net, &way->next);
	put_ether(way, np, to);
	way->plain = p->vlan == 0;
	return true;
}

struct dp_way *dp_ways_look_up(struct dp_ways *w, const struct sip_ip *to)
{
	struct dp_ways_slot *s = &w->slot[dp_ways_place(to)];

	s->round = 0;
	if (!look_up(w, to, &s->way))
		return NULL;
	s->to = *to;
	s->round = w->round;
	return &s->way;
}
