#include "dataplane/io/dp_used.h"

bool dp_used_touch(struct dp_used *u, const struct dp_net_neigh *n, uint64_t now_us)
{
	uint32_t i = dp_net_neigh_hash(n->port, &n->ip) & (DP_USED_SLOTS - 1);

	if (u->slot[i].told_us && now_us - u->slot[i].told_us < DP_USED_US
	    && u->slot[i].port == n->port && dp_ip_equal(&u->slot[i].ip, &n->ip))
		return false;
	if (now_us - u->second_us >= DP_USED_US) {
		u->second_us = now_us;
		u->events = 0;
	}
	if (u->events == DP_USED_EVENTS)
		return false;
	u->events++;
	u->slot[i].ip = n->ip;
	u->slot[i].port = n->port;
	u->slot[i].told_us = now_us;
	return true;
}
