#include "dataplane/io/dp_tx.h"

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "dataplane/io/dp_flow.h"
#include "dataplane/io/dp_headers.h"
#include "dataplane/io/dp_inline.h"
#include "dataplane/io/dp_split.h"
#include "dataplane/io/dp_vlan.h"

#define TX_TRIES 2      /* a full ring is given one more chance, then the packet goes */
#define USED_US  100000 /* between two looks whether control is to be told of a neighbour */

/* The way out for one packet. */
struct hop {
	struct dp_way *way;
	uint32_t mtu; /* of the path, as far as it is known */
	bool split;   /* the packet is larger */
	bool v4;
	bool plain; /* over IPv4, whole, behind a header that is known */
};

static void send_event(struct dp_tx *t, enum dp_event_type type, unsigned int port,
		       const struct sip_ip *ip)
{
	struct dp_event ev = { .time_ns = t->now_us * 1000, .type = type, .port = port };

	memcpy(ev.ip, ip->b, sizeof(ev.ip));
	dp_event_put(t->events, &ev);
	t->count->events++;
}

static void hold_ask(void *arg, unsigned int port, const struct sip_ip *ip)
{
	send_event(arg, DP_EVENT_NEIGH_MISS, port, ip);
}

static void hold_expired(void *arg, void *packet)
{
	dp_tx_drop(arg, packet, DP_REASON_NEIGH_UNRESOLVED);
}

static struct dp_frame frame_of(struct rte_mbuf *m)
{
	return (struct dp_frame){ m->buf_addr, m->buf_len, m->data_off, m->data_len };
}

static void frame_put(struct rte_mbuf *m, const struct dp_frame *f)
{
	m->data_off = (uint16_t)f->off;
	m->data_len = (uint16_t)f->len;
	m->pkt_len = f->len;
}

static void queue_flush(struct dp_tx *t, struct dp_tx_queue *q, unsigned int port, bool kernel)
{
	struct dp_port_counters *c = &t->count->port[port];
	uint64_t bytes = q->bytes;
	uint16_t sent = 0;

	if (q->lock)
		rte_spinlock_lock(q->lock);
	for (int i = 0; i < TX_TRIES && sent < q->n; i++)
		sent = (uint16_t)(sent
				  + rte_eth_tx_burst(q->dev, q->queue, q->m + sent,
						     (uint16_t)(q->n - sent)));
	if (q->lock)
		rte_spinlock_unlock(q->lock);
	for (uint16_t i = sent; i < q->n; i++) {
		bytes -= q->m[i]->pkt_len;
		dp_tx_drop(t, q->m[i], kernel ? DP_REASON_KERNEL_FULL : DP_REASON_TX_FULL);
	}
	if (kernel) {
		c->to_kernel += sent;
	} else {
		c->tx_packets += sent;
		c->tx_bytes += bytes;
		c->tx_dropped += (uint16_t)(q->n - sent);
	}
	q->n = 0;
	q->bytes = 0;
}

static void wire_put(struct dp_tx *t, unsigned int port, struct rte_mbuf *m)
{
	struct dp_tx_queue *q = &t->port[port];

	q->bytes += m->pkt_len;
	q->m[q->n++] = m;
	if (__builtin_expect(q->n == DP_TX_BURST, 0))
		queue_flush(t, q, port, false);
}

static bool tag_put(struct rte_mbuf *m, uint16_t vlan)
{
	if (m->data_len < DP_ETHER_LEN || !rte_pktmbuf_prepend(m, DP_VLAN_LEN))
		return false;
	dp_vlan_put(rte_pktmbuf_mtod(m, uint8_t *), vlan);
	return true;
}

/* Puts the Ethernet header in front of an IP packet and queues it. */
static void ether_put(struct dp_tx *t, struct rte_mbuf *m, const struct dp_net_neigh *neigh)
{
	struct dp_frame f = frame_of(m);
	uint16_t type = f.buf[f.off] >> 4 == 4 ? DP_ETHER_IPV4 : DP_ETHER_IPV6;
	uint16_t vlan = t->ports[neigh->port].vlan;

	/* The kernel's MAC: it is what the kernel tells our neighbours. */
	dp_rewrite_ether(&f, neigh->mac, dp_net_port(t->ways.net, neigh->port)->mac, type);
	frame_put(m, &f);
	if (vlan)
		tag_put(m, vlan); /* DP_HEADERS_MAX has room for it */
	if (dp_used_touch(&t->used, neigh, t->now_us))
		send_event(t, DP_EVENT_NEIGH_USED, neigh->port, &neigh->ip);
	wire_put(t, neigh->port, m);
}

static void hold_ready(void *arg, void *packet, const struct dp_net_neigh *neigh)
{
	struct dp_tx *t = arg;

	t->count->neigh_flushed++;
	ether_put(t, packet, neigh);
}

int dp_tx_init(struct dp_tx *t, const struct dp_tx_params *p)
{
	struct dp_hold_ops ops = { hold_ask, hold_ready, hold_expired, t };

	t->ports = p->ports;
	t->n_ports = p->n_ports;
	t->pools = p->pools;
	t->pmtu = p->pmtu;
	t->flow_key = p->flow_key;
	t->random = rte_rdtsc() | 1;
	t->count = &p->block->counters;
	t->events = &p->block->events;
	/* Workers start apart, so that their IDs do not meet soon. */
	t->ipv4_id = (uint16_t)(p->worker * (65536 / p->n_workers));
	for (unsigned int i = 0; i < p->n_ports; i++) {
		const struct dp_port *port = &p->ports[i];
		uint16_t q = (uint16_t)(p->worker % port->dev.n_queues);
		bool shared = port->dev.n_queues < p->n_workers;

		rte_spinlock_t *lock = shared ? &p->locks[port->device][q] : NULL;

		t->port[i] = (struct dp_tx_queue){ .dev = port->dev.id, .queue = q, .lock = lock };
		t->kernel[i] =
			(struct dp_tx_queue){ .dev = port->exception.id, .queue = q, .lock = lock };
	}
	t->ways.n_ports = p->n_ports;
	for (unsigned int i = 0; i < p->n_ports; i++)
		t->ways.port[i] = (struct dp_ways_port){ p->ports[i].mtu, p->ports[i].exception_mtu,
							 p->ports[i].vlan };
	t->hold = dp_hold_new(&ops);
	return t->hold ? 0 : -ENOMEM;
}

void dp_tx_fini(struct dp_tx *t)
{
	dp_hold_free(t->hold);
	t->hold = NULL;
	dp_tx_flush(t);
}

void dp_tx_drop(struct dp_tx *t, struct rte_mbuf *m, enum dp_reason reason)
{
	t->count->reason[reason]++;
	rte_pktmbuf_free(m);
}

void dp_tx_flush(struct dp_tx *t)
{
	for (unsigned int i = 0; i < t->n_ports; i++) {
		if (t->port[i].n)
			queue_flush(t, &t->port[i], i, false);
		if (t->kernel[i].n)
			queue_flush(t, &t->kernel[i], i, true);
	}
}

_Static_assert(DP_REASON_PUNT_REST - DP_REASON_PUNT_NEIGHBOURS == DP_PUNT_REST
		       && DP_PUNT_REST + 1 == DP_PUNT_N,
	       "the reasons stand in the classes' order");

void dp_tx_kernel(struct dp_tx *t, unsigned int port, struct rte_mbuf *m)
{
	struct dp_tx_queue *q = &t->kernel[port];
	enum dp_punt class =
		dp_punt_class(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, t->cfg);

	if (t->cfg && !dp_punt_take(&t->punts, port, class, t->cfg->punt_per_s[class], t->now_us)) {
		dp_tx_drop(t, m, (enum dp_reason)(DP_REASON_PUNT_NEIGHBOURS + class));
		return;
	}

	q->m[q->n++] = m;
	if (q->n == DP_TX_BURST)
		queue_flush(t, q, port, true);
}

void dp_tx_wire(struct dp_tx *t, unsigned int port, struct rte_mbuf *m)
{
	uint16_t vlan = t->ports[port].vlan;

	m->ol_flags = 0;
	/* AF_XDP sends garbage for chained buffers, and copies without looking at the length. */
	if (m->pkt_len > t->ports[port].frame_max + (uint32_t)RTE_VLAN_HLEN)
		dp_tx_drop(t, m, DP_REASON_TOO_BIG);
	else if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0)
		dp_tx_drop(t, m, DP_REASON_NO_MBUF);
	else if (vlan && !tag_put(m, vlan))
		dp_tx_drop(t, m, DP_REASON_NO_ROOM);
	else
		wire_put(t, port, m);
}

void dp_tx_frame(struct dp_tx *t, unsigned int port, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pools.packets);

	if (!m) {
		t->count->reason[DP_REASON_NO_MBUF]++;
		return;
	}
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	dp_tx_wire(t, port, m);
}

/* Whether a packet can leave, and which way. Returns DP_REASON_N or why not. */
HOT enum dp_reason way_out(struct dp_tx *t, const struct dp_listener *from,
			   const struct dp_endpoint *to, uint32_t payload_len, struct hop *h)
{
	uint32_t ip_len = dp_rewrite_ip_len(&to->ip, payload_len), path;

	if (ip_len > UINT16_MAX)
		return DP_REASON_NO_ROOM;
	h->v4 = dp_ip_is_v4(&to->ip);
	if (__builtin_expect(!dp_ip_is_v4(&from->at.ip), 0) ? h->v4 : !h->v4)
		return DP_REASON_NO_ROUTE;
	h->way = dp_ways_find(&t->ways, &to->ip);
	if (!h->way)
		return DP_REASON_NO_ROUTE;
	path = dp_pmtu_get(t->pmtu, &to->ip, t->now_us);
	h->mtu = path < h->way->mtu ? path : h->way->mtu;
	h->split = ip_len > h->mtu;
	h->plain = h->v4 && !h->split && h->way->plain;
	return h->mtu < DP_SPLIT_MTU_MIN ? DP_REASON_TOO_BIG : DP_REASON_N;
}

/* With its headers, off it goes, or waits. */
COLD void leave(struct dp_tx *t, struct rte_mbuf *m, const struct hop *h)
{
	if (h->way->neigh) {
		ether_put(t, m, h->way->neigh);
		return;
	}
	if (dp_hold_put(t->hold, h->way->port, &h->way->next, m, t->now_us) == 0)
		t->count->neigh_held++;
	else
		dp_tx_drop(t, m, DP_REASON_NEIGH_UNRESOLVED);
}

/* Unpredictable enough that nobody can place fragments of his own among ours (RFC 7739 5.2):
 * xorshift64* (Vigna 2016). */
static uint32_t ipv6_id(struct dp_tx *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (uint32_t)(t->random * 0x2545f4914f6cdd1dull >> 32);
}

/* An IP packet that is larger than the way out takes. All of its fragments leave, or none. */
COLD void leave_split(struct dp_tx *t, struct rte_mbuf *m, const struct hop *h)
{
	struct rte_mbuf *part[DP_SPLIT_MAX];
	struct dp_split s;
	unsigned int n = dp_split_begin(&s, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len,
					h->mtu, ipv6_id(t));

	if (rte_pktmbuf_alloc_bulk(t->pools.packets, part, n) != 0) {
		dp_tx_drop(t, m, DP_REASON_NO_MBUF);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		part[i]->data_len =
			(uint16_t)dp_split_put(&s, i, rte_pktmbuf_mtod(part[i], uint8_t *));
		part[i]->pkt_len = part[i]->data_len;
		leave(t, part[i], h);
	}
	t->count->fragmented++;
	t->count->fragments_sent += n;
	rte_pktmbuf_free(m);
}

/* The device is to fill in the UDP checksum. */
COLD void ask_for_sum(struct dp_tx *t, struct rte_mbuf *m, const struct hop *h, bool v4)
{
	m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM | (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
	m->l2_len = DP_ETHER_LEN + (t->ports[h->way->port].vlan ? DP_VLAN_LEN : 0);
	m->l3_len = v4 ? DP_IPV4_LEN : DP_IPV6_LEN;
}

COLD void tell_used(struct dp_tx *t, struct dp_way *way)
{
	way->used_us = t->now_us;
	if (dp_used_touch(&t->used, way->neigh, t->now_us))
		send_event(t, DP_EVENT_NEIGH_USED, way->port, &way->neigh->ip);
}

/* By a way whose Ethernet header is known. */
HOT void leave_plain(struct dp_tx *t, struct rte_mbuf *m, const struct dp_frame *f,
		     struct dp_way *way)
{
	uint8_t *e = f->buf + f->off - DP_ETHER_LEN;

	memcpy(e, way->ether, 8);
	memcpy(e + DP_ETHER_LEN - 8, way->ether + DP_ETHER_LEN - 8, 8);
	frame_put(m,
		  &(struct dp_frame){ .off = f->off - DP_ETHER_LEN, .len = f->len + DP_ETHER_LEN });
	if (t->now_us - way->used_us >= USED_US)
		tell_used(t, way);
	wire_put(t, way->port, m);
}

/* The payload is in place: headers, and off it goes, or waits. */
static __attribute__((noinline)) void finish(struct dp_tx *t, struct rte_mbuf *m,
					     const struct dp_payload *pl, uint8_t tclass,
					     const struct dp_listener *from,
					     const struct dp_endpoint *to, const struct hop *h)
{
	bool offload = !pl->summed && !h->split && t->ports[h->way->port].dev.tx_udp_sum;
	struct dp_headers headers = { .from = from->at,
				      .to = *to,
				      .ipv4_id = t->ipv4_id++,
				      .tclass = tclass,
				      .offload = offload };
	struct dp_frame f = { .buf = m->buf_addr };

	if (!h->v4)
		headers.flow = dp_flow_label(t->flow_key, &from->at, to);
	dp_rewrite_headers(&f, pl, &headers);
	m->ol_flags = 0;
	if (offload)
		ask_for_sum(t, m, h, h->v4);
	frame_put(m, &f);
	if (h->split)
		leave_split(t, m, h);
	else if (h->way->plain)
		leave_plain(t, m, &f, h->way);
	else
		leave(t, m, h);
}

/* The same, but for what most are in line: whole, over IPv4, with a sum to carry on. */
HOT void finish_here(struct dp_tx *t, struct rte_mbuf *m, const struct dp_payload *pl,
		     uint8_t tclass, const struct dp_listener *from, const struct dp_endpoint *to,
		     const struct hop *h)
{
	if (__builtin_expect(h->plain && pl->summed, 1)) {
		struct dp_frame f = { .buf = m->buf_addr,
				      .off = pl->off - DP_UDP_LEN - DP_IPV4_LEN,
				      .len = pl->len + DP_UDP_LEN + DP_IPV4_LEN };

		dp_header_ipv4(f.buf + pl->off, pl, &from->at, to, t->ipv4_id++, tclass, false);
		m->ol_flags = 0;
		leave_plain(t, m, &f, h->way);
	} else {
		/* Copies: so the others need no place in memory. */
		struct dp_payload payload = *pl;
		struct hop hop = *h;

		finish(t, m, &payload, tclass, from, to, &hop);
	}
}

/* A large buffer with room for headers and len bytes behind, or NULL. */
static struct rte_mbuf *large(struct dp_tx *t, uint32_t len)
{
	if (len > DP_POOL_LARGE_ROOM - DP_HEADERS_MAX)
		return NULL;
	return rte_pktmbuf_alloc(t->pools.large);
}

/* What does not fit its own buffer is composed in a large one. */
COLD void forward_large(struct dp_tx *t, struct rte_mbuf *m, const struct dp_packet *p,
			const struct steer_verdict *v, const struct hop *h)
{
	uint32_t len = (uint32_t)sip_edits_len(&v->edits, p->payload_len);
	struct rte_mbuf *big = large(t, len);
	struct dp_payload pl = { .off = DP_HEADERS_MAX, .len = len };

	if (!big) {
		dp_tx_drop(t, m, DP_REASON_NO_MBUF);
		return;
	}
	sip_edits_apply(&v->edits, rte_pktmbuf_mtod_offset(m, const uint8_t *, p->payload_off),
			p->payload_len, (uint8_t *)big->buf_addr + pl.off, len);
	rte_pktmbuf_free(m);
	finish(t, big, &pl, p->tclass, v->from, &v->to, h);
}

void dp_tx_forward(struct dp_tx *t, struct rte_mbuf *m, const struct dp_packet *p,
		   const struct steer_verdict *v)
{
	struct hop h;
	enum dp_reason reason =
		way_out(t, v->from, &v->to, (uint32_t)sip_edits_len(&v->edits, p->payload_len), &h);
	struct dp_frame f = frame_of(m);
	struct dp_payload pl;

	if (reason != DP_REASON_N) {
		dp_tx_drop(t, m, reason);
		return;
	}
	if (__builtin_expect(dp_rewrite_payload(&f, p, &v->edits, t->scratch, &pl) != 0, 0)) {
		struct hop hop = h;

		forward_large(t, m, p, v, &hop);
		return;
	}
	finish_here(t, m, &pl, p->tclass, v->from, &v->to, &h);
}

void dp_tx_answer(struct dp_tx *t, struct rte_mbuf *m, const struct dp_packet *p,
		  const struct steer_verdict *v)
{
	struct dp_payload pl = { .off = DP_HEADERS_MAX, .len = v->answer_len };
	struct hop h;
	enum dp_reason reason = way_out(t, v->from, &v->to, v->answer_len, &h);

	if (reason == DP_REASON_N && pl.off + pl.len > m->buf_len) {
		rte_pktmbuf_free(m);
		m = large(t, pl.len);
		if (!m) {
			t->count->reason[DP_REASON_NO_MBUF]++;
			return;
		}
	}
	if (reason != DP_REASON_N) {
		dp_tx_drop(t, m, reason);
		return;
	}
	memcpy((uint8_t *)m->buf_addr + pl.off, v->answer, v->answer_len);
	finish(t, m, &pl, p->tclass, v->from, &v->to, &h);
}

/* A buffer with room for headers and len bytes behind, or NULL. */
static struct rte_mbuf *fresh(struct dp_tx *t, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pools.packets);

	if (!m || DP_HEADERS_MAX + len <= m->buf_len)
		return m;
	rte_pktmbuf_free(m);
	return large(t, len);
}

void dp_tx_send(struct dp_tx *t, const struct steer_send *out)
{
	struct dp_payload pl = { .off = DP_HEADERS_MAX, .len = out->len };
	struct hop h;
	enum dp_reason reason = way_out(t, out->from, &out->to, out->len, &h);
	struct rte_mbuf *m = reason == DP_REASON_N ? fresh(t, out->len) : NULL;

	if (!m) {
		t->count->reason[reason == DP_REASON_N ? DP_REASON_NO_MBUF : reason]++;
		return;
	}
	memcpy((uint8_t *)m->buf_addr + pl.off, out->buf, out->len);
	finish(t, m, &pl, 0, out->from, &out->to, &h);
}

void dp_tx_answer_kernel(struct dp_tx *t, unsigned int port, struct rte_mbuf *m,
			 const struct dp_packet *p, const struct steer_verdict *v)
{
	struct dp_payload pl = { .off = DP_HEADERS_MAX, .len = v->answer_len };
	struct dp_headers headers = {
		.from = v->from->at, .to = v->to, .ipv4_id = t->ipv4_id++, .tclass = p->tclass
	};
	const uint8_t *mac = t->ports[port].dev.mac;
	struct dp_frame f = frame_of(m);
	uint16_t type;

	if (pl.off + pl.len > m->buf_len
	    || dp_ip_is_v4(&v->from->at.ip) != dp_ip_is_v4(&v->to.ip)) {
		dp_tx_drop(t, m, DP_REASON_NO_ROOM);
		return;
	}
	memcpy(f.buf + pl.off, v->answer, v->answer_len);
	type = dp_rewrite_headers(&f, &pl, &headers);
	dp_rewrite_ether(&f, mac, mac, type);
	frame_put(m, &f);
	m->ol_flags = 0;
	dp_tx_kernel(t, port, m);
}
