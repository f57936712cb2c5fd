/*
 * Snapshots: model + numbers -> struct dp_cfg; kernel mirror -> struct dp_net; and the publisher,
 * which owns the region's heap and puts them in force. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_numbers.h"
#include "dataplane/dp_net.h"

struct ctl_secrets {
	unsigned int n;
	struct dp_secret key[DP_MAX_KEYS];
};

/**
 * Build the configuration half in memory from malloc(); `size` bytes of it are then copied into the
 * region.
 *
 * @param old  The previous one, whose Maglev tables are taken over where a service's pairs and
 * weights did not change; NULL: none.
 * @return     free() it; NULL when out of memory.
 */
struct dp_cfg *ctl_build_cfg(const struct ctl_model *m, const struct ctl_numbers *n,
			     const struct ctl_secrets *secrets, const struct dp_cfg *old);

/** What the kernel mirror knows, in any order. */
struct ctl_net_view {
	size_t n_ports;
	const struct dp_net_port *ports;
	size_t n_addrs;
	const struct dp_net_addr *addrs;
	size_t n_routes;
	const struct dp_net_route *routes;
	size_t n_neighs;
	const struct dp_net_neigh *neighs;
};

/** Build the network half. @return free() it; NULL when out of memory. */
struct dp_net *ctl_build_net(const struct ctl_net_view *v);

/** Owns the heap of one region and what is published there. */
struct ctl_publisher;

/**
 * Take over a region: what its newest root names stays published, everything else in the heap is
 * free.
 * @param region  Borrowed for the publisher's life.
 */
struct ctl_publisher *ctl_publisher_new(struct dp_region *region);
void ctl_publisher_free(struct ctl_publisher *p);

/** What is in force, or NULL. Borrowed until the next publication. */
const struct dp_cfg *ctl_publisher_cfg(const struct ctl_publisher *p);
const struct dp_net *ctl_publisher_net(const struct ctl_publisher *p);

/**
 * Publish a new half; the other one stays. The block is copied.
 * @return the generation, or 0: the heap is full, or a worker holds everything back (errno ENOMEM,
 * EAGAIN); try later.
 */
uint64_t ctl_publish_cfg(struct ctl_publisher *p, const struct dp_cfg *cfg);
uint64_t ctl_publish_net(struct ctl_publisher *p, const struct dp_net *net);

/** Whether all online workers hold `generation` or a newer one: only then may a word name what it
 * brought. */
bool ctl_publisher_acked(const struct ctl_publisher *p, uint64_t generation);

struct ctl_publisher_stats {
	uint64_t heap_used, heap_size; /* bytes */
	uint64_t blocks, waiting;      /* blocks in use, and of these those that wait for acks */
	uint64_t published, refused;
};

void ctl_publisher_stats(const struct ctl_publisher *p, struct ctl_publisher_stats *s);
