#include "dataplane/io/dp_worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "dataplane/io/dp_idle.h"
#include "dataplane/io/dp_inline.h"
#include "dataplane/io/dp_own.h"
#include "dataplane/io/dp_share.h"
#include "dataplane/io/dp_special.h"
#include "dataplane/io/dp_stall.h"
#include "dataplane/io/dp_tx.h"
#include "dataplane/io/dp_vlan.h"

#define BURST        32
#define FETCH        2     /* messages between the fetch of what one needs and its turn */
#define TICK_US      10000 /* heartbeat, packets that wait for a next hop */
#define STEER_US     DP_IDLE_FLIGHT_US /* timers of requests in flight */
#define CLAIM_US     1000000 /* between two words about somebody who claims an address of ours */
#define LIMITED      4096    /* sources whose own answers are metered at a time */
#define PREFETCH_LEN 128     /* headers and the start line */
#define FETCH_LINES  4       /* of a message, at a time */
#define HUGE_PAGE    (2ull << 20)

/* A queue that this worker receives from, and the exception queue beside it. */
struct source {
	uint8_t port;
	bool shares; /* the device of an earlier one, which receives for both */
	bool tagged; /* the device's frames are told apart by their VLAN */
	uint16_t queue;
	uint16_t dev, exception; /* of DPDK */
};

struct dp_worker {
	struct dp_shared *shared;
	struct dp_worker_block *block;
	struct dp_worker_counters *count;
	unsigned int index;
	uint8_t verify; /* enum dp_checksums */
	struct dp_view view;
	struct steer *steer;
	unsigned int n_sources;
	struct source sources[DP_MAX_PORTS];
	struct dp_vlans vlans[DP_MAX_PORTS]; /* of a source's device */
	uint64_t now_us;
	uint64_t ticked_us;
	uint64_t steered_us;
	struct dp_stall stall;
	bool whole;        /* a queue gave a whole burst in this round */
	uint32_t links;    /* as last told to control */
	uint64_t claim_us; /* when a claim was last told to control */
	struct dp_own own; /* worker 0 announces our addresses */
	struct dp_idling idle;
	struct dp_special *special;
	struct dp_share share;
	struct dp_packet packets[BURST];
	const struct dp_listener *listeners[BURST]; /* theirs; NULL: for no listener */
	struct steer_in in[BURST];
	struct steer_ahead ahead[BURST];
	struct steer_verdict verdict;
	struct dp_tx tx;
	struct dp_net_marks marks; /* of the view's addresses */
};

static uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void find_sources(struct dp_worker *w)
{
	for (unsigned int i = 0; i < w->shared->n_ports; i++) {
		const struct dp_port *p = &w->shared->ports[i];

		if (w->index >= p->dev.n_queues)
			continue;
		dp_vlans_of(&w->shared->region->boot, i, &w->vlans[w->n_sources]);
		w->sources[w->n_sources] = (struct source){
			.port = (uint8_t)i,
			.shares = p->device != i,
			.tagged = p->vlan || w->vlans[w->n_sources].n > 1,
			.queue = (uint16_t)w->index,
			.dev = p->dev.id,
			.exception = p->exception.id,
		};
		w->n_sources++;
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

static void handle_whole(void *arg, unsigned int port, struct rte_mbuf *m);
static void hand_over(void *arg, unsigned int owner, unsigned int port, struct rte_mbuf *m);

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
		.deliver = handle_whole,
		.hand_over = hand_over,
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
		find_sources(w);
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

/* Whether the checksums are right, as the device or we say. Returns DP_REASON_N or what is wrong.
 */
static enum dp_reason judge_sums(const struct dp_worker *w, const struct rte_mbuf *m,
				 const struct dp_packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t ip = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (w->verify == DP_CHECKSUMS_ALWAYS)
		ip = l4 = 0;
	if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD
	    || (ip != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !dp_classify_ip_sum(frame, p)))
		return DP_REASON_IP_CHECKSUM;
	/* A device may call an absent checksum bad: only our own word counts against a packet. */
	if (l4 != RTE_MBUF_F_RX_L4_CKSUM_GOOD && !dp_classify_udp_sum(frame, p))
		return DP_REASON_UDP_CHECKSUM;
	return DP_REASON_N;
}

HOT enum dp_reason judge(const struct dp_worker *w, const struct rte_mbuf *m,
			 const struct dp_packet *p)
{
	if (p->reason != DP_REASON_N)
		return p->reason;
	/* Ours, or a subnet's broadcast address: whoever wrote that wants us to answer ourselves.
	 */
	if (__builtin_expect(dp_net_may_own(&w->marks, &p->src.ip), 0)
	    && dp_net_own(w->view.net, &p->src.ip))
		return DP_REASON_SRC_MULTICAST;
	return w->verify == DP_CHECKSUMS_NEVER ? DP_REASON_N : judge_sums(w, m, p);
}

/* Its checksums are right: whoever gets it from us need not look again. */
static void mark_judged(struct rte_mbuf *m)
{
	m->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static inline void fill_in(struct steer_in *in, const struct rte_mbuf *m, const struct dp_packet *p,
			   const struct dp_listener *l, uint8_t spread,
			   const struct steer_ahead *ahead)
{
	/* One by one: as a whole it would be zeroed before. */
	in->buf = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->payload_off);
	in->len = p->payload_len;
	in->src = p->src;
	in->dst = p->dst;
	in->listener = l;
	in->spread = spread;
	in->local = false;
	in->dst_multicast = p->multicast;
	in->ahead = ahead;
}

/* A datagram for a listener. */
HOT void handle_sip_here(struct dp_worker *w, struct rte_mbuf *m, const struct dp_packet *p,
			 const struct steer_in *in, unsigned int port)
{
	struct steer_verdict *v = &w->verdict;
	enum dp_reason reason = judge(w, m, p);

	if (__builtin_expect(reason != DP_REASON_N, 0)) {
		dp_tx_drop(&w->tx, m, reason);
		return;
	}
	steer_message(w->steer, in, v);
	switch (v->action) {
	case STEER_FORWARD: dp_tx_forward(&w->tx, m, p, v); break;
	case STEER_ANSWER: dp_tx_answer(&w->tx, m, p, v); break;
	case STEER_HAND_OVER:
		mark_judged(m);
		dp_share_put(&w->share, v->owner, m, port, &p->src, in->spread, w->now_us);
		break;
	default: rte_pktmbuf_free(m); break; /* steer has counted why */
	}
}

/* The same for those that are few. */
COLD void handle_sip(struct dp_worker *w, struct rte_mbuf *m, const struct dp_packet *p,
		     const struct steer_in *in, unsigned int port)
{
	handle_sip_here(w, m, p, in, port);
}

/* A datagram that was put together from fragments. */
static void handle_whole(void *arg, unsigned int port, struct rte_mbuf *m)
{
	struct dp_worker *w = arg;
	const struct dp_listener *l = NULL;
	struct dp_packet p;
	struct steer_in in;

	dp_classify(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &p);
	if (p.kind == DP_PACKET_UDP)
		l = dp_cfg_listener_at(w->view.cfg, &p.dst);
	if (!l) {
		dp_tx_kernel(&w->tx, port, m);
		return;
	}
	fill_in(&in, m, &p, l, dp_share_spread_whole(&w->share, &p.src, w->now_us), NULL);
	handle_sip(w, m, &p, &in, port);
}

/* What was not looked at as a message of its source's: nothing of its source is hot by it. */
static void hand_over(void *arg, unsigned int owner, unsigned int port, struct rte_mbuf *m)
{
	struct dp_worker *w = arg;

	dp_share_put(&w->share, owner, m, port, &(struct dp_endpoint){ 0 }, STEER_SPREAD_NONE,
		     w->now_us);
}

/* The parser wants flat bytes. What does not fit one buffer is no datagram that we could take
 * whole: classify calls it too short. Returns how many bytes there are. */
static uint64_t flatten_burst(struct rte_mbuf **m, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++) {
		bytes += m[i]->pkt_len;
		if (__builtin_expect(m[i]->nb_segs > 1, 0))
			rte_pktmbuf_linearize(m[i]);
		rte_prefetch0(rte_pktmbuf_mtod(m[i], const void *));
		rte_prefetch0(rte_pktmbuf_mtod_offset(m[i], const void *, PREFETCH_LEN / 2));
	}
	return bytes;
}

static void classify_burst(struct dp_worker *w, struct rte_mbuf **m, uint16_t n)
{
	const struct dp_listener *last = NULL;

	for (uint16_t i = 0; i < n; i++) {
		struct dp_packet *p = &w->packets[i];

		dp_classify(rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len, p);
		w->listeners[i] = NULL;
		if (!w->view.cfg || p->kind != DP_PACKET_UDP)
			continue;
		last = dp_cfg_listener_again(w->view.cfg, last, &p->dst);
		w->listeners[i] = last;
	}
}

/* What another processor has just written, as the kernel's for an AF_XDP socket, comes from far. By
 * fours: what lies behind the end is where the message will grow. */
static void fetch_text(const struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, PREFETCH_LEN),
		      *end = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->data_len);

	for (; at < end; at += FETCH_LINES * DP_CACHE_LINE) {
#pragma GCC unroll 4
		for (unsigned int i = 0; i < FETCH_LINES; i++)
			rte_prefetch0(at + i * DP_CACHE_LINE);
	}
}

/*
 * All messages of a burst are parsed before the first one is decided: the same code over and over
 * runs quicker than each message's whole way, and what a look fetches has time to come.
 */
static void look_ahead(struct dp_worker *w, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct dp_packet *p = &w->packets[i];
		struct steer_in *in = &w->in[i];
		struct steer_ahead *a = &w->ahead[i];

		if (i + FETCH < n)
			fetch_text(m[i + FETCH]);
		if (!w->listeners[i])
			continue;
		fill_in(in, m[i], p, w->listeners[i],
			dp_share_spread(&w->share, &p->src, w->now_us), a);
		steer_look(w->steer, in, a);
		if (a->to.port)
			dp_ways_fetch(&w->tx.ways, &a->to.ip);
	}
}

/* What a look found the place of, shortly before it is needed. */
static void fetch(struct dp_worker *w, uint16_t n, unsigned int i)
{
	if (i < n && w->listeners[i])
		steer_look_pair(w->steer, &w->ahead[i]);
}

/* And where a request goes, by what that brought. */
static void fetch_way(struct dp_worker *w, uint16_t n, unsigned int i)
{
	const struct dp_endpoint *to;

	if (i >= n || !w->listeners[i])
		return;
	to = steer_look_member(w->steer, &w->ahead[i]);
	if (to)
		dp_ways_fetch(&w->tx.ways, &to->ip);
}

/* What is for no listener; among it, what others say about addresses of ours. */
static void handle_other(struct dp_worker *w, unsigned int port, struct rte_mbuf *m)
{
	struct dp_claim c;

	if (w->view.net && w->now_us - w->claim_us >= CLAIM_US
	    && dp_own_claimed(w->view.net, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &c)) {
		struct dp_event ev = { .time_ns = w->now_us * 1000,
				       .type = DP_EVENT_CLAIM,
				       .port = port };

		memcpy(&ev.id, c.mac, sizeof(c.mac));
		memcpy(ev.ip, c.ip.b, sizeof(ev.ip));
		dp_event_put(&w->block->events, &ev);
		w->count->events++;
		w->claim_us = w->now_us;
	}
	dp_tx_kernel(&w->tx, port, m);
}

/* Fragments of one datagram meet at one worker. */
static void handle_special(struct dp_worker *w, unsigned int port, struct rte_mbuf *m,
			   const struct dp_packet *p)
{
	unsigned int owner = w->index;

	if (w->share.scatters && p->kind == DP_PACKET_FRAGMENT)
		owner = dp_special_owner(w->special, m, p, owner,
					 w->shared->region->boot.n_workers);
	if (owner == w->index) {
		dp_special_packet(w->special, port, m, p);
		return;
	}
	w->count->handed_others++;
	hand_over(w, owner, port, m);
}

/* What was decided here leaves before what others have yet to decide. */
static void send_mail(struct dp_worker *w)
{
	if (!w->share.mail.waiting)
		return;
	dp_tx_flush(&w->tx);
	dp_mail_send(&w->share.mail);
}

static void handle_burst(struct dp_worker *w, const struct source *s, struct rte_mbuf **m,
			 uint16_t n)
{
	const struct dp_cfg *cfg = w->view.cfg;
	const bool many = cfg && steer_has_many_pairs(cfg);
	uint64_t bytes = flatten_burst(m, n);

	classify_burst(w, m, n);
	look_ahead(w, m, n);
	for (unsigned int i = 0; i < FETCH; i++)
		fetch(w, n, i);
	for (uint16_t i = 0; i < n; i++) {
		const struct dp_packet *p = &w->packets[i];
		const struct dp_listener *l = w->listeners[i];

		fetch(w, n, i + FETCH);
		if (many)
			fetch_way(w, n, i + 1);
		if (l)
			handle_sip_here(w, m[i], p, &w->in[i], s->port);
		else if (cfg && p->kind > DP_PACKET_UDP)
			handle_special(w, s->port, m[i], p);
		else
			handle_other(w, s->port, m[i]);
	}
	w->count->port[s->port].rx_packets += n;
	w->count->port[s->port].rx_bytes += bytes;
	if (w->share.watches && cfg)
		dp_hot_burst(&w->share.hot, n == BURST, dp_hot_bucket(&w->packets[0].src));
	send_mail(w);
}

/* What other workers received and found to be ours. */
static unsigned int handle_mail(struct dp_worker *w, struct rte_mbuf **m)
{
	uint16_t n = (uint16_t)dp_share_take(&w->share, m, BURST);
	const struct dp_cfg *cfg = w->view.cfg;

	if (!n)
		return 0;
	w->whole |= n == BURST;
	flatten_burst(m, n);
	classify_burst(w, m, n);
	if (cfg)
		steer_begin(w->steer, cfg, w->now_us);
	for (uint16_t i = 0; i < n; i++) {
		const struct dp_packet *p = &w->packets[i];
		const struct dp_listener *l = w->listeners[i];
		unsigned int port = dp_share_port(m[i]);

		if (l) {
			fill_in(&w->in[0], m[i], p, l, STEER_SPREAD_NONE, NULL);
			handle_sip(w, m[i], p, &w->in[0], port);
		} else if (cfg && p->kind > DP_PACKET_UDP) {
			dp_special_packet(w->special, port, m[i], p);
		} else {
			dp_tx_kernel(&w->tx, port, m[i]);
		}
	}
	send_mail(w);
	return n;
}

/* Frames of a device that several ports share, or one with a VLAN: each goes to its port without
 * its tag, in runs, so that order is kept. */
static void handle_tagged(struct dp_worker *w, const struct source *s, struct rte_mbuf **m,
			  uint16_t n)
{
	const struct dp_vlans *vlans = &w->vlans[s - w->sources];
	struct source of = *s;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		bool tagged;
		int port = dp_vlan_port(vlans, rte_pktmbuf_mtod(m[i], const uint8_t *),
					m[i]->data_len, &tagged);

		if (port < 0) {
			dp_tx_drop(&w->tx, m[i], DP_REASON_VLAN_UNKNOWN);
			continue;
		}
		if (tagged) {
			dp_vlan_strip(rte_pktmbuf_mtod(m[i], uint8_t *));
			rte_pktmbuf_adj(m[i], DP_VLAN_LEN);
		}
		if (kept && port != of.port) {
			handle_burst(w, &of, m, kept);
			kept = 0;
		}
		of.port = (uint8_t)port;
		m[kept++] = m[i];
	}
	if (kept)
		handle_burst(w, &of, m, kept);
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
	struct rte_mbuf *m[BURST];
	unsigned int total = 0;

	w->whole = false;
	for (unsigned int i = 0; i < w->n_sources; i++) {
		const struct source *s = &w->sources[i];
		uint16_t n = s->shares ? 0 : rte_eth_rx_burst(s->dev, s->queue, m, BURST);
		uint16_t k;

		w->count->polls++;
		if (n) {
			w->count->bursts++;
			w->count->packets += n;
			w->whole |= n == BURST;
			if (s->tagged)
				handle_tagged(w, s, m, n);
			else
				handle_burst(w, s, m, n);
		}
		k = rte_eth_rx_burst(s->exception, s->queue, m, BURST);
		for (uint16_t j = 0; j < k; j++) {
			if (is_self_probe(w, s->port, m[j]))
				handle_self_probe(w, s->port, m[j]);
			else
				dp_tx_wire(&w->tx, s->port, m[j]);
		}
		w->count->port[s->port].from_kernel += k;
		total += n + k;
	}
	return total + handle_mail(w, m);
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
