/*
 * Packet buffers: one pool for all ports and workers, so that a packet crosses from any port to any
 * other without a copy (AF_XDP sends in place only what lies in its own pool), and a small one of
 * large buffers for what outgrows the others. Main thread to make and free; any worker allocates.
 */
#pragma once

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_failure.h"

struct rte_mempool;

#define DP_POOL_LARGE_ROOM 65535 /* bytes of a large buffer: an mbuf counts in 16 bits */

struct dp_pools {
	struct rte_mempool *packets;
	struct rte_mempool *large;
	bool packed; /* packets lie side by side: see dp_pools_open() */
};

/** MiB that pools, rings and DPDK's own bookkeeping take. */
uint32_t dp_pools_memory_mb(const struct dp_boot *boot);

/**
 * Make them.
 *
 * DPDK 22.11's net_af_xdp takes a pool's first bytes, as many as its packets have together, for all
 * of its memory, and the kernel refuses addresses beyond: packets must lie side by side. By default
 * DPDK keeps an object from crossing a page for devices that need that, without hugepages one to a
 * page. So where no PCI device is configured, packets are packed.
 *
 * @return 0 or -1 with *f.
 */
int dp_pools_open(struct dp_pools *p, const struct dp_boot *boot, struct dp_failure *f);
void dp_pools_close(struct dp_pools *p);
