#include "dataplane/io/dp_pools.h"

#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#define CACHE           256  /* buffers that a worker keeps for itself, and half as many again */
#define RING_MOST       2048 /* what AF_XDP fills its ring with, whatever it was asked for */
#define EXCEPTION_RINGS 320  /* both of an exception netdev's queue */
#define WAITING         1024 /* packets of a worker that wait for a next hop, or are being sent */
#define LARGE_EACH      64   /* large buffers for each worker */
#define FRAME_ROOM      2048
#define OVERHEAD_MB     48 /* DPDK's own tables, drivers' rings */

static uint32_t at_least(uint32_t n, uint32_t least)
{
	return n < least ? least : n;
}

/* What lies in rings and caches when all are full, or what was configured. */
static uint32_t packets_needed(const struct dp_boot *b)
{
	uint32_t queue = at_least(b->rx_descriptors, RING_MOST)
			 + 2 * at_least(b->tx_descriptors, RING_MOST) + EXCEPTION_RINGS;
	uint32_t n = b->n_workers * (b->n_ports * queue + 2 * CACHE + WAITING);

	return at_least(n, b->n_workers * b->n_mbufs);
}

/* For the largest MTU that is configured, and some room for what messages grow by. */
static uint16_t data_room(const struct dp_boot *b)
{
	uint32_t most = FRAME_ROOM;

	for (unsigned int i = 0; i < b->n_ports; i++)
		most = at_least(most, b->ports[i].mtu ? b->ports[i].mtu + 512u : 0);
	most += RTE_PKTMBUF_HEADROOM;
	return (uint16_t)(most > UINT16_MAX ? UINT16_MAX : most);
}

uint32_t dp_pools_memory_mb(const struct dp_boot *b)
{
	uint64_t each = data_room(b) + sizeof(struct rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE;
	uint64_t bytes = packets_needed(b) * each
			 + (uint64_t)b->n_workers * LARGE_EACH * (DP_POOL_LARGE_ROOM + 512);
	uint32_t mb = (uint32_t)(bytes * 5 / 4 >> 20) + OVERHEAD_MB;

	return at_least(mb, b->memory_mb);
}

int dp_pools_open(struct dp_pools *p, const struct dp_boot *b, struct dp_failure *f)
{
	uint32_t n = packets_needed(b);

	p->packets = rte_pktmbuf_pool_create("packets", n, CACHE, 0, data_room(b), SOCKET_ID_ANY);
	p->large = rte_pktmbuf_pool_create("large", b->n_workers * LARGE_EACH, 0, 0,
					   DP_POOL_LARGE_ROOM, SOCKET_ID_ANY);
	if (p->packets && p->large)
		return 0;
	dp_pools_close(p);
	return dp_fail(f,
		       "packet buffers: %u of %u bytes cannot be had: %s; give more memory, or "
		       "fewer of them",
		       n, data_room(b), rte_strerror(rte_errno));
}

void dp_pools_close(struct dp_pools *p)
{
	rte_mempool_free(p->large);
	rte_mempool_free(p->packets);
	*p = (struct dp_pools){ 0 };
}
