/* A worker is made, with all that it will need, and freed. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_cycles.h>

#include "dataplane/io/dp_worker_internal.h"

#define LIMITED   4096 /* sources whose own answers are metered at a time */
#define HUGE_PAGE (2ull << 20)

static void find_queues(struct dp_worker *w)
{
	for (unsigned int i = 0; i < w->shared->n_ports; i++) {
		const struct dp_port *p = &w->shared->ports[i];

		if (w->index >= p->dev.n_queues)
			continue;
		dp_vlans_of(&w->shared->region->boot, i, &w->vlans[w->n_queues]);
		w->queues[w->n_queues] = (struct dp_queue){
			.port = (uint8_t)i,
			.shares = p->device != i,
			.tagged = p->vlan || w->vlans[w->n_queues].n > 1,
			.queue = (uint16_t)w->index,
			.dev = p->dev.id,
			.exception = p->exception.id,
		};
		w->n_queues++;
	}
}

static void send_from_steer(void *arg, const struct steer_send *out)
{
	struct dp_worker *w = arg;

	dp_tx_send(&w->tx, out);
}

static int make_steer(struct dp_worker *w)
{
	struct dp_region *r = w->shared->region;
	struct steer_params p = {
		.worker = (uint16_t)w->index,
		.n_workers = r->boot.n_workers,
		.owner_key = w->shared->owner_key,
		.n_records = r->boot.n_records,
		.n_challenges = r->boot.n_challenges,
		.n_limits = LIMITED,
		.record_hold_ms = r->boot.record_hold_ms,
		.seed = rte_rdtsc() ^ (uint64_t)w->index << 56,
		.counters = w->count,
		.members = w->block->members,
		.events = &w->block->events,
		.pair_words = r->pair_words,
		.store_size = (uint64_t)r->boot.store_mb << 20,
		.word_downs = &r->word_downs,
		.pair_trials = r->pair_trials,
		.send = send_from_steer,
		.send_arg = w,
	};

	w->steer = steer_new(&p);
	return w->steer ? 0 : -1;
}

static int make_special(struct dp_worker *w)
{
	struct dp_special_params p = {
		.tx = &w->tx,
		.steer = w->steer,
		.pmtu = &w->shared->pmtu,
		.flow_key = &w->shared->flow_key,
		.count = w->count,
		.view = &w->view,
		.verify = w->verify,
		.seed = rte_rdtsc() * 0x9e3779b97f4a7c15ull ^ (uintptr_t)w,
		.deliver = dp_burst_whole,
		.hand_over = dp_burst_hand_over,
		.arg = w,
	};

	w->special = dp_special_new(&p);
	return w->special ? 0 : -1;
}

static unsigned int most_queues(const struct dp_shared *shared)
{
	unsigned int most = 0;

	for (unsigned int i = 0; i < shared->n_ports; i++)
		if (shared->ports[i].dev.n_queues > most)
			most = shared->ports[i].dev.n_queues;
	return most;
}

/* In one huge page, where the kernel has one: a worker's tables are looked at here and there. */
static struct dp_worker *allocate(void)
{
	size_t size = (sizeof(struct dp_worker) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *p = aligned_alloc(HUGE_PAGE, size);

	if (p)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

struct dp_worker *dp_worker_new(struct dp_shared *shared, unsigned int index, struct dp_failure *f)
{
	struct dp_worker *w = allocate();
	struct dp_tx_params tx = {
		.worker = index,
		.n_workers = shared->region->boot.n_workers,
		.ports = shared->ports,
		.n_ports = shared->n_ports,
		.pools = shared->pools,
		.block = dp_region_worker(shared->region, index),
		.pmtu = &shared->pmtu,
		.flow_key = &shared->flow_key,
		.locks = shared->locks,
	};

	if (w) {
		memset(w, 0, sizeof(*w));
		w->shared = shared;
		w->block = tx.block;
		w->count = &tx.block->counters;
		w->index = index;
		w->verify = shared->region->boot.verify_checksums;
		dp_share_init(&w->share, shared->handover, index, shared->region->boot.spread,
			      most_queues(shared), w->count);
		find_queues(w);
		dp_idle_init(&w->idle, shared, index, dp_mail_fd(&w->share.mail));
	}
	if (!w || dp_tx_init(&w->tx, &tx) != 0 || make_steer(w) != 0 || make_special(w) != 0) {
		dp_worker_free(w);
		dp_fail(f,
			"worker %u: no memory for its tables; lower the number of records, or add "
			"memory",
			index);
		return NULL;
	}
	return w;
}

void dp_worker_free(struct dp_worker *w)
{
	if (!w)
		return;
	dp_special_free(w->special);
	dp_idle_fini(&w->idle);
	dp_tx_fini(&w->tx);
	steer_free(w->steer);
	free(w);
}
