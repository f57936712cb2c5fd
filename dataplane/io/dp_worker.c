#include "dataplane/io/dp_worker_internal.h"

#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#define TICK_US  10000             /* heartbeat, packets that wait for a next hop */
#define STEER_US DP_IDLE_FLIGHT_US /* timers of requests in flight */

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* From the kernel to the port's own address: nothing that could leave, but control's self-probe. */
static bool is_self_probe(const struct dp_worker *w, unsigned int port, const struct rte_mbuf *m)
{
	return m->data_len >= DP_ETHER_LEN
	       && memcmp(rte_pktmbuf_mtod(m, const uint8_t *), w->shared->ports[port].dev.mac, 6)
			  == 0;
}

/* Classified and steered like what comes from the wire; the answer goes back to the kernel. */
static void handle_self_probe(struct dp_worker *w, unsigned int port, struct rte_mbuf *m)
{
	const struct dp_cfg *cfg = w->view.cfg;
	struct steer_in in = { .local = true };
	struct dp_packet p;

	dp_classify(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &p);
	in.listener = cfg && p.kind == DP_PACKET_UDP ? dp_cfg_listener_at(cfg, &p.dst) : NULL;
	if (!in.listener || p.reason != DP_REASON_N) {
		dp_tx_drop(&w->tx, m, in.listener ? p.reason : DP_REASON_NO_SNAPSHOT);
		return;
	}
	in.buf = rte_pktmbuf_mtod_offset(m, const uint8_t *, p.payload_off);
	in.len = p.payload_len;
	in.src = p.src;
	in.dst = p.dst;
	steer_begin(w->steer, cfg, w->now_us);
	steer_message(w->steer, &in, &w->verdict);
	if (w->verdict.action == STEER_ANSWER)
		dp_tx_answer_kernel(&w->tx, port, m, &p, &w->verdict);
	else
		rte_pktmbuf_free(m);
}

/* One round over all queues. Returns how many packets there were. */
static unsigned int round_of_bursts(struct dp_worker *w)
{
	struct rte_mbuf *m[DP_BURST];
	unsigned int total = 0;

	w->whole = false;
	for (unsigned int i = 0; i < w->n_queues; i++) {
		const struct dp_queue *q = &w->queues[i];
		uint16_t n = q->shares ? 0 : rte_eth_rx_burst(q->dev, q->queue, m, DP_BURST);
		uint16_t k;

		w->count->polls++;
		if (n) {
			w->count->bursts++;
			w->count->packets += n;
			w->whole |= n == DP_BURST;
			dp_burst_handle(w, q, m, n);
		}
		k = rte_eth_rx_burst(q->exception, q->queue, m, DP_BURST);
		for (uint16_t j = 0; j < k; j++) {
			if (is_self_probe(w, q->port, m[j]))
				handle_self_probe(w, q->port, m[j]);
			else
				dp_tx_wire(&w->tx, q->port, m[j]);
		}
		w->count->port[q->port].from_kernel += k;
		total += n + k;
	}
	return total + dp_burst_mail(w, m);
}

static void announce(void *arg, unsigned int port, const uint8_t *frame, size_t len)
{
	struct dp_worker *w = arg;

	dp_tx_frame(&w->tx, port, frame, len);
}

static void tell_links(struct dp_worker *w)
{
	uint32_t now = atomic_load_explicit(&w->shared->links, memory_order_relaxed);
	uint32_t changed = now ^ w->links;

	for (uint32_t i = 0; changed >> i; i++) {
		struct dp_event ev = { .time_ns = w->now_us * 1000,
				       .type = DP_EVENT_LINK,
				       .port = i,
				       .value = now >> i & 1 };

		if (changed >> i & 1) {
			dp_event_put(&w->block->events, &ev);
			w->count->events++;
		}
	}
	w->links = now;
	if (changed && w->view.net)
		dp_own_update(&w->own, w->view.net, now, announce, w);
}

static void tick(struct dp_worker *w)
{
	if (w->now_us - w->ticked_us < TICK_US)
		return;
	w->ticked_us = w->now_us;
	atomic_store_explicit(&w->block->heartbeat_ns, w->now_us * 1000, memory_order_relaxed);
	dp_hold_tick(w->tx.hold, w->now_us);
	dp_special_tick(w->special, w->now_us);
	if (w->index == 0)
		tell_links(w);
	dp_share_window(&w->share, w->now_us);
}

/* The clock, and what depends on the snapshot. Nothing of an older one is in use here. */
static void begin_round(struct dp_worker *w)
{
	bool changed = dp_region_quiesce(w->shared->region, w->index, &w->view);

	w->now_us = monotonic_us();
	dp_stall_begin(&w->stall, w->now_us);
	w->tx.now_us = w->now_us;
	w->tx.cfg = w->view.cfg;
	if (changed || w->tx.ways.net != w->view.net) {
		dp_ways_begin(&w->tx.ways, w->view.net);
		dp_net_mark(&w->marks, w->view.net);
	}
	if (changed && w->view.net)
		dp_hold_flush(w->tx.hold, w->view.net);
	if (changed && w->view.net && w->index == 0)
		dp_own_update(&w->own, w->view.net, w->links, announce, w);
	if (w->view.cfg)
		steer_begin(w->steer, w->view.cfg, w->now_us);
	tick(w);
}

/* Timers of requests in flight, after what may have answered them. */
static void tick_steer(struct dp_worker *w)
{
	if (!dp_stall_over(&w->stall, w->whole) || w->now_us - w->steered_us < STEER_US)
		return;
	w->steered_us = w->now_us;
	steer_tick(w->steer, w->now_us);
}

int dp_worker_main(void *arg)
{
	struct dp_worker *w = arg;

	/* Sleeps of a few microseconds shall not take 50 more. */
	prctl(PR_SET_TIMERSLACK, 1);
	w->block->tsc_hz = rte_get_tsc_hz();
	dp_region_online(w->shared->region, w->index, &w->view);
	while (!atomic_load_explicit(&w->shared->quit, memory_order_relaxed)) {
		uint64_t start = rte_rdtsc();
		unsigned int n;

		begin_round(w);
		n = round_of_bursts(w);
		tick_steer(w);
		dp_tx_flush(&w->tx);
		if (n) {
			w->count->busy_cycles += rte_rdtsc() - start;
			dp_idle_busy(&w->idle);
		} else {
			dp_idle_rest(&w->idle, &w->share.mail, w->count, w->now_us,
				     dp_hold_count(w->tx.hold) > 0);
		}
	}
	dp_region_offline(w->shared->region, w->index, &w->view);
	return 0;
}
