#include "dataplane/io/dp_special.h"

#include <stdlib.h>

#include "dataplane/io/dp_flow.h"
#include "dataplane/io/dp_icmp.h"

#define GROWTH 512u /* what Via, Record-Route and received add, at most, to most messages */

struct dp_special {
	struct dp_special_params p;
	struct dp_frags *frags;
};

static bool is_listener(const struct dp_special *x, const struct dp_endpoint *at)
{
	return x->p.view->cfg && dp_cfg_listener_at(x->p.view->cfg, at);
}

/* ---- Fragments */

static bool frags_wanted(void *arg, const struct dp_endpoint *to)
{
	return is_listener(arg, to);
}

static void frags_pass(void *arg, void *packet, unsigned int port)
{
	struct dp_special *x = arg;

	dp_tx_kernel(x->p.tx, port, packet);
}

static void frags_drop(void *arg, void *packet, enum dp_reason reason)
{
	struct dp_special *x = arg;

	if (reason == DP_REASON_N)
		rte_pktmbuf_free(packet);
	else
		dp_tx_drop(x->p.tx, packet, reason);
}

static void frags_whole(void *arg, const struct dp_frags_datagram *d)
{
	struct dp_special *x = arg;
	struct rte_mbuf *m = rte_pktmbuf_alloc(x->p.tx->pools.large);
	uint32_t len;

	if (!m) {
		x->p.count->reason[DP_REASON_NO_MBUF]++;
		return;
	}
	/* What is added goes in front, as far as the message leaves room. */
	m->data_off = d->len + DP_HEADERS_MAX + GROWTH <= m->buf_len ? GROWTH : 0;
	len = dp_frags_frame(d, rte_pktmbuf_mtod(m, uint8_t *), (uint32_t)m->buf_len - m->data_off);
	if (len == 0) {
		dp_tx_drop(x->p.tx, m, DP_REASON_SIP_TOO_LARGE);
		return;
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->ol_flags = 0;
	x->p.count->reassembled++;
	x->p.deliver(x->p.arg, d->first->port, m);
}

static void take_fragment(struct dp_special *x, unsigned int port, struct rte_mbuf *m,
			  const struct dp_packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct dp_fragment f;
	enum dp_reason reason = dp_fragment_read(frame, p, &f);

	x->p.count->fragments++;
	/* The kernel verifies what it gets, but what is put together here loses its headers. */
	if (reason == DP_REASON_N && x->p.verify != DP_CHECKSUMS_NEVER
	    && !dp_classify_ip_sum(frame, p))
		reason = DP_REASON_IP_CHECKSUM;
	if (reason != DP_REASON_N) {
		dp_tx_drop(x->p.tx, m, reason);
		return;
	}
	f.port = (uint16_t)port;
	dp_frags_put(x->frags, &f, frame, m, x->p.tx->now_us);
}

static bool is_own(const struct dp_special *x, const struct sip_ip *ip)
{
	return x->p.view->net && dp_net_own(x->p.view->net, ip);
}

unsigned int dp_special_owner(const struct dp_special *x, const struct rte_mbuf *m,
			      const struct dp_packet *p, unsigned int here, unsigned int n_workers)
{
	struct dp_fragment f;

	if (!is_own(x, &p->dst.ip)
	    || dp_fragment_read(rte_pktmbuf_mtod(m, const uint8_t *), p, &f) != DP_REASON_N)
		return here;
	return dp_fragment_owner(&f, n_workers);
}

/* ---- ICMP errors */

/* Whether the error is about a packet of a listener's, or about nothing at all. */
static bool is_ours(const struct dp_special *x, enum dp_icmp_outcome outcome,
		    const struct dp_icmp *e)
{
	if (outcome == DP_ICMP_NOT_UDP)
		return false;
	/* Where the quote does not reach its ports there is nobody else to whom it says more. */
	if (outcome == DP_ICMP_BROKEN && e->from.port == 0)
		return true;
	return is_listener(x, &e->from);
}

/* Whether it says by itself that it has seen a packet of ours on its way. */
static bool has_label(const struct dp_special *x, const struct dp_icmp *e)
{
	return e->v6 && e->flow == dp_flow_label(x->p.flow_key, &e->from, &e->to);
}

static enum dp_reason lower(struct dp_special *x, const struct dp_icmp *e)
{
	if (dp_pmtu_lower(x->p.pmtu, &e->to.ip, e->mtu, x->p.tx->now_us))
		x->p.count->pmtu_lowered++;
	return DP_REASON_ICMP_ABSORBED;
}

/* @return DP_REASON_N with *owner: it is another worker's. */
static enum dp_reason act_on(struct dp_special *x, const struct dp_packet *p,
			     const struct dp_icmp *e, uint8_t *owner)
{
	struct steer_icmp in = {
		.from = e->from,
		.to = e->to,
		.quote = e->quote,
		.quote_len = e->quote_len,
		.type = e->type,
		.code = e->code,
		.v6 = e->v6,
		.reporter = p->src.ip,
	};

	if (e->kind == DP_ICMP_IGNORED)
		return DP_REASON_ICMP_IGNORED;
	if (e->kind == DP_ICMP_TOO_BIG && has_label(x, e))
		return lower(x, e);
	switch (steer_icmp(x->p.steer, &in, owner)) {
	case STEER_ICMP_HAND_OVER: return DP_REASON_N;
	case STEER_ICMP_UNPROVEN:
		/* Of what went to a client nothing is acted on but its path's MTU. */
		return has_label(x, e) ? DP_REASON_ICMP_IGNORED : DP_REASON_ICMP_UNPROVEN;
	case STEER_ICMP_PROVEN: break;
	}
	return e->kind == DP_ICMP_TOO_BIG ? lower(x, e) : DP_REASON_ICMP_ABSORBED;
}

static void take_icmp(struct dp_special *x, unsigned int port, struct rte_mbuf *m,
		      const struct dp_packet *p)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct dp_icmp e;
	enum dp_icmp_outcome outcome = dp_icmp_read(frame, p, &e);
	enum dp_reason reason;
	uint8_t owner;

	if (!is_ours(x, outcome, &e)) {
		dp_tx_kernel(x->p.tx, port, m);
		return;
	}
	if (x->p.verify != DP_CHECKSUMS_NEVER && !dp_classify_ip_sum(frame, p))
		reason = DP_REASON_IP_CHECKSUM;
	else if (!dp_icmp_sum(frame, p))
		reason = DP_REASON_ICMP_CHECKSUM;
	else if (outcome == DP_ICMP_BROKEN)
		reason = DP_REASON_ICMP_QUOTE;
	else
		reason = act_on(x, p, &e, &owner);
	if (reason == DP_REASON_N) {
		x->p.hand_over(x->p.arg, owner, port, m);
		return;
	}
	x->p.count->icmp_errors++;
	dp_tx_drop(x->p.tx, m, reason);
}

/* ---- */

void dp_special_packet(struct dp_special *x, unsigned int port, struct rte_mbuf *m,
		       const struct dp_packet *p)
{
	if (!is_own(x, &p->dst.ip))
		dp_tx_kernel(x->p.tx, port, m);
	else if (p->kind == DP_PACKET_FRAGMENT)
		take_fragment(x, port, m, p);
	else
		take_icmp(x, port, m, p);
}

struct dp_special *dp_special_new(const struct dp_special_params *p)
{
	struct dp_special *x = calloc(1, sizeof(*x));
	struct dp_frags_ops ops = { frags_wanted, frags_pass, frags_drop, frags_whole, x };

	if (!x)
		return NULL;
	x->p = *p;
	x->frags = dp_frags_new(&ops, p->seed);
	if (!x->frags) {
		free(x);
		return NULL;
	}
	return x;
}

void dp_special_free(struct dp_special *x)
{
	if (!x)
		return;
	dp_frags_free(x->frags);
	free(x);
}

void dp_special_tick(struct dp_special *x, uint64_t now_us)
{
	dp_frags_tick(x->frags, now_us);
}
