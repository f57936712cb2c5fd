/* What becomes of a burst of packets: classified, looked at ahead, decided, sent. */
#include <string.h>

#include <rte_prefetch.h>

#include "dataplane/io/dp_inline.h"
#include "dataplane/io/dp_worker_internal.h"

#define FETCH        2       /* messages between the fetch of what one needs and its turn */
#define CLAIM_US     1000000 /* between two words about somebody who claims an address of ours */
#define PREFETCH_LEN 128     /* headers and the start line */
#define FETCH_LINES  4       /* of a message, at a time */

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
void dp_burst_whole(void *arg, unsigned int port, struct rte_mbuf *m)
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
void dp_burst_hand_over(void *arg, unsigned int owner, unsigned int port, struct rte_mbuf *m)
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
	dp_burst_hand_over(w, owner, port, m);
}

/* What was decided here leaves before what others have yet to decide. */
static void send_mail(struct dp_worker *w)
{
	if (!w->share.mail.waiting)
		return;
	dp_tx_flush(&w->tx);
	dp_mail_send(&w->share.mail);
}

static void handle_burst(struct dp_worker *w, const struct dp_queue *q, struct rte_mbuf **m,
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
			handle_sip_here(w, m[i], p, &w->in[i], q->port);
		else if (cfg && p->kind > DP_PACKET_UDP)
			handle_special(w, q->port, m[i], p);
		else
			handle_other(w, q->port, m[i]);
	}
	w->count->port[q->port].rx_packets += n;
	w->count->port[q->port].rx_bytes += bytes;
	if (w->share.watches && cfg)
		dp_hot_burst(&w->share.hot, n == DP_BURST, dp_hot_bucket(&w->packets[0].src));
	send_mail(w);
}

/* What other workers received and found to be ours. */
unsigned int dp_burst_mail(struct dp_worker *w, struct rte_mbuf **m)
{
	uint16_t n = (uint16_t)dp_share_take(&w->share, m, DP_BURST);
	const struct dp_cfg *cfg = w->view.cfg;

	if (!n)
		return 0;
	w->whole |= n == DP_BURST;
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
static void handle_tagged(struct dp_worker *w, const struct dp_queue *q, struct rte_mbuf **m,
			  uint16_t n)
{
	const struct dp_vlans *vlans = &w->vlans[q - w->queues];
	struct dp_queue of = *q;
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

void dp_burst_handle(struct dp_worker *w, const struct dp_queue *q, struct rte_mbuf **m, uint16_t n)
{
	if (q->tagged)
		handle_tagged(w, q, m, n);
	else
		handle_burst(w, q, m, n);
}
