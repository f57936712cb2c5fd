/*
 * Which neighbours a worker has used lately: the kernel does not see the traffic, so control must
 * be told what to keep fresh, once a second for each (DP_EVENT_NEIGH_USED).
 *
 * Direct-mapped by the neighbour's hash; two that share a place both get reported, more often than
 * needed, but never more than DP_USED_EVENTS a second in all. One thread.
 */
#pragma once

#include "dataplane/dp_net.h"

#define DP_USED_SLOTS  1024 /* a power of two */
#define DP_USED_US     1000000
#define DP_USED_EVENTS 512

struct dp_used {
	uint64_t second_us; /* when the present count of events began */
	uint32_t events;
	struct {
		struct sip_ip ip;
		uint64_t told_us;
		uint8_t port;
	} slot[DP_USED_SLOTS];
};

/** @return whether control is to be told that this neighbour is in use. */
bool dp_used_touch(struct dp_used *u, const struct dp_net_neigh *neigh, uint64_t now_us);
