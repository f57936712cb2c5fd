#include "dataplane/io/dp_pools.h"

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include "dataplane/io/dp_eal_args.h"
#include "dataplane/io/dp_frags.h"

#define CACHE           256  /* buffers that a worker keeps for itself, and half as many again */
#define RING_MOST       2048 /* what AF_XDP fills its ring with, whatever it was asked for */
#define EXCEPTION_RINGS 320  /* both of an exception netdev's queue */
#define WAITING         1024 /* packets of a worker that wait for a next hop, or are being sent */
#define FRAGMENTS       DP_FRAGS_PACKETS
#define LARGE_EACH      64 /* large buffers for each worker */
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
	uint32_t rings = (b->n_workers - 1u) * b->handover_ring; /* to all others */
	uint32_t n = b->n_workers * (b->n_ports * queue + 2 * CACHE + WAITING + FRAGMENTS + rings);

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

static bool any_pci(const struct dp_boot *b)
{
	for (unsigned int i = 0; i < b->n_ports; i++) {
		if (dp_device_any_pci(b->ports[i].device))
			return true;
	}
	return false;
}

static struct rte_mempool *make(const char *name, uint32_t n, uint32_t cache, uint16_t room,
				unsigned int flags)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = room };
	struct rte_mempool *mp =
		rte_mempool_create_empty(name, n, (unsigned int)sizeof(struct rte_mbuf) + room,
					 cache, (unsigned int)sizeof(priv), SOCKET_ID_ANY, flags);

	if (!mp)
		return NULL;
	if (rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(mp, &priv);
		if (rte_mempool_populate_default(mp) == (int)n) {
			rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
			return mp;
		}
	}
	rte_mempool_free(mp);
	return NULL;
}

struct extent {
	uintptr_t low, high;
};

static void stretch(struct rte_mempool *mp, void *arg, void *object, unsigned int index)
{
	struct extent *e = arg;
	uintptr_t at = (uintptr_t)object;

	(void)mp;
	(void)index;
	e->low = at < e->low ? at : e->low;
	e->high = at > e->high ? at : e->high;
}

static bool is_packed(struct rte_mempool *mp)
{
	struct extent e = { UINTPTR_MAX, 0 };
	uint32_t each = mp->header_size + mp->elt_size + mp->trailer_size;

	rte_mempool_obj_iter(mp, stretch, &e);
	return e.high - e.low == (uintptr_t)(mp->populated_size - 1) * each;
}

int dp_pools_open(struct dp_pools *p, const struct dp_boot *b, struct dp_failure *f)
{
	unsigned int flags = any_pci(b) ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	uint32_t n = packets_needed(b);

	p->packets = make("packets", n, CACHE, data_room(b), flags);
	p->large = make("large", b->n_workers * LARGE_EACH, 0, DP_POOL_LARGE_ROOM, flags);
	if (p->packets && p->large) {
		p->packed = is_packed(p->packets);
		return 0;
	}
	dp_pools_close(p);
	return dp_fail(
		f,
		"packet buffers: %u of %u bytes cannot be had from %u MB; raise `memory:` or "
		"lower `packet-buffers:`",
		n, data_room(b), dp_pools_memory_mb(b));
}

void dp_pools_close(struct dp_pools *p)
{
	rte_mempool_free(p->large);
	rte_mempool_free(p->packets);
	*p = (struct dp_pools){ 0 };
}
