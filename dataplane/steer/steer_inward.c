/*
 * Requests from clients: they go to a member of their service, and nowhere else, unless our own
 * cookie, valid for this call, says that its dialog leads outward.
 */
#include "dataplane/steer/steer_internal.h"

#include <errno.h>
#include <string.h>

/* What the next hop, Route or Request-URI, names. */
struct next {
	const struct sip_uri *uri;
	bool is_route;
	int error;             /* of steer_uri_endpoint() */
	struct dp_endpoint at; /* without an error */
	const struct dp_pair *pair;
	const struct dp_member *member; /* that listens there, NULL: none */
};

static void find_next(const struct steer_ctx *c, struct next *n)
{
	uint16_t number;

	n->uri = &c->uri;
	n->is_route = false;
	n->error = -EINVAL;
	n->pair = NULL;
	n->member = NULL;
	if (c->routes.next_own)
		return; /* for the server in between: the cookie says which */
	if (c->routes.has_next) {
		n->uri = &c->routes.next;
		n->is_route = true;
	}
	/* The usual one, a name, is told in a few steps. */
	if (n->uri->params.len == 0 && !steer_may_be_literal(c->m->buf, n->uri->host))
		return;
	n->error = steer_uri_endpoint(c, n->uri, !n->is_route && c->strip_maddr, &n->at);
	if (n->error == 0)
		n->member = dp_cfg_member_at(c->cfg, &n->at, &number);
	if (n->member)
		n->pair = dp_cfg_pair(c->cfg, number);
}

/* To a client: its flow, or the address that the request names. */
static bool hop_to_client(struct steer_ctx *c, struct steer_hop *hop, const struct dp_endpoint *to,
			  const struct steer_flow *flow)
{
	uint32_t key = flow ? flow->listener : c->routes.cookie.listener;
	const struct dp_listener *l = dp_cfg_listener_by_key(c->cfg, key);

	if (!l || dp_ip_is_v4(&l->at.ip) != dp_ip_is_v4(&to->ip))
		l = steer_default_listener(c, &to->ip);
	if (!l || dp_ip_is_unanswerable(&to->ip) || dp_cfg_listener_at(c->cfg, to)) {
		steer_answer(c, 480, "No Way To The Next Hop", NULL, DP_REASON_REQ_UNROUTABLE,
			     "the next hop is no address that can be sent to");
		return false;
	}
	hop->at = *to;
	hop->to = &hop->at;
	hop->from = l;
	hop->flow = flow;
	hop->number = STEER_NO_MEMBER;
	c->v->why = flow ? "the cookie says outward: the flow of the other client"
			 : "the cookie says outward: by Route or Request-URI";
	return true;
}

/**
 * A client's request in a dialog that a member formed, or that crossed us twice: outward is allowed
 * (RFC 3261 16.4, 16.6 item 6).
 * @return 1 when hop is filled, 0 when the next hop leads nowhere, -1 when it has been answered.
 */
static int follow_outward(struct steer_ctx *c, struct steer_hop *hop, const struct next *n)
{
	const struct steer_routes *r = &c->routes;
	struct dp_endpoint to = { .transport = DP_UDP };

	if (r->has_flow && !n->member && steer_routes_end_at_client(c)) {
		to.ip = r->flow.ip;
		to.port = r->flow.port;
		return hop_to_client(c, hop, &to, &r->flow) ? 1 : -1;
	}
	if (n->member)
		return steer_choose_member(c, hop, n->pair, n->member) ? 1 : -1;
	if (n->error < 0 || dp_cfg_listener_at(c->cfg, &n->at))
		return 0;
	return hop_to_client(c, hop, &n->at, NULL) ? 1 : -1;
}

/* RFC 3261 16.3, 26: whoever is no member is carried to members only. */
static bool refuse_relay(struct steer_ctx *c)
{
	steer_answer(c, 403, "Relaying Denied", NULL, DP_REASON_REQ_RELAY,
		     "a client's Route names a foreign next hop");
	return false;
}

/* The pair of a request that names no member. */
static const struct dp_pair *find_pair(const struct steer_ctx *c)
{
	const struct steer_record *r = c->t.record;
	const struct dp_pair *p;
	uint32_t number;

	if (r && r->member != STEER_NO_MEMBER) {
		p = dp_cfg_pair(c->cfg, r->member / DP_PAIR_MEMBERS);
		if (p && dp_pair_serves(p, c->in->listener->service))
			return p;
	}
	return c->routes.pair ? c->routes.pair : steer_select_pair(c, &number);
}

/* A Route or Request-URI that names an address, or a dialog that leads outward. */
static __attribute__((noinline)) bool follow(struct steer_ctx *c, struct steer_hop *hop)
{
	const struct dp_pair *pair;
	bool mine;
	struct next n;
	int r;

	find_next(c, &n);
	if (c->routes.outward) {
		r = follow_outward(c, hop, &n);
		if (r != 0)
			return r > 0;
	} else {
		mine = n.member && dp_pair_serves(n.pair, c->in->listener->service);
		/* A name leads nowhere from here: what it means is the member's matter. */
		if (n.is_route && n.error == 0 && !mine)
			return refuse_relay(c);
		/* A REGISTER names the domain, not a server (RFC 3261 10.2). */
		if (mine && (n.is_route || c->m->method != SIP_METHOD_REGISTER))
			return steer_choose_member(c, hop, n.pair, n.member);
	}
	pair = find_pair(c);
	if (!pair) {
		steer_answer_503(c, 503, "the service has no pair");
		return false;
	}
	return steer_choose_member(c, hop, pair, NULL);
}

__attribute__((noinline)) bool steer_inward_any(struct steer_ctx *c, struct steer_hop *hop)
{
	const struct steer_routes *r = &c->routes;
	const struct dp_pair *pair;

	steer_hop_init(hop);
	/* The usual next hop, the Request-URI with a name for its host, names no member. */
	if (r->has_next | r->next_own | r->outward || c->uri.params.len
	    || steer_may_be_literal(c->m->buf, c->uri.host))
		return follow(c, hop);
	pair = find_pair(c);
	if (!pair) {
		steer_answer_503(c, 503, "the service has no pair");
		return false;
	}
	return steer_choose_member(c, hop, pair, NULL);
}

bool steer_inward(struct steer_ctx *c, struct steer_hop *hop)
{
	const struct dp_pair *pair;
	uint32_t number;

	/* Most begin something, and name nobody. */
	if (c->has_routes || c->t.record || steer_may_be_literal(c->m->buf, c->uri.host)
	    || (pair = steer_select_pair(c, &number)) == NULL)
		return steer_inward_any(c, hop);
	return steer_choose_active(c, hop, pair, number);
}
