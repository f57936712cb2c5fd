/*
 * Requests from members: outward, along the flow that a Path or Record-Route value of ours names,
 * else by the next Route value, else by the Request-URI (RFC 3261 16.6 item 6, RFC 3327 5.3). The
 * next hop must be an IP address: names are not resolved here.
 */
#include "dataplane/steer/steer_internal.h"

#include <errno.h>

static bool fits(const struct dp_listener *l, const struct sip_ip *ip)
{
	return l && dp_ip_is_v4(&l->at.ip) == dp_ip_is_v4(ip);
}

/* What goes to a client leaves from the socket that the client used: the flow's, the dialog's, or
 * the one that the member sent to; else the service's first. */
static const struct dp_listener *client_listener(const struct steer_ctx *c,
						 const struct steer_hop *hop)
{
	const struct dp_listener *l = NULL;

	if (hop->flow)
		l = dp_cfg_listener_by_key(c->cfg, hop->flow->listener);
	else if (c->routes.n_crossings > 0)
		l = dp_cfg_listener_by_key(c->cfg, c->routes.cookie.listener);
	if (fits(l, &hop->to->ip))
		return l;
	if ((c->in->listener->flags & DP_LISTENER_CLIENT) && fits(c->in->listener, &hop->to->ip))
		return c->in->listener;
	return steer_default_listener(c, &hop->to->ip);
}

static bool refuse(struct steer_ctx *c, unsigned int status, const char *phrase, const char *why)
{
	steer_answer(c, status, phrase, NULL, DP_REASON_REQ_UNROUTABLE, why);
	return false;
}

/* RFC 3261 16.5: without a target, 480; for what does not exist here, 404. */
static bool find_target(struct steer_ctx *c, struct steer_hop *hop)
{
	const struct steer_routes *r = &c->routes;
	int e;

	if (r->has_flow && steer_routes_end_at_client(c)) {
		hop->at = (struct dp_endpoint){ .ip = r->flow.ip,
						.port = r->flow.port,
						.transport = DP_UDP };
		hop->flow = &r->flow;
		c->v->why = "a member's request: the flow that our own Route value names";
		return true;
	}
	if (r->has_next)
		e = steer_uri_endpoint(c, &r->next, false, &hop->at);
	else
		e = steer_uri_endpoint(c, &c->uri, c->strip_maddr, &hop->at);
	if (e == -EPROTONOSUPPORT)
		return refuse(c, 480, "Next Hop Is Not Reached By UDP",
			      "the next hop asks for another transport");
	if (e < 0 && c->came_back)
		return refuse(c, 482, NULL, "it came back from a member as it went there");
	if (e < 0)
		return refuse(c, 480, "Next Hop Is No IP Address", "the next hop is no IP address");
	c->v->why =
		r->has_next ? "a member's request: by Route" : "a member's request: by Request-URI";
	return true;
}

bool steer_outward(struct steer_ctx *c, struct steer_hop *hop)
{
	const struct dp_pair *pair;
	const struct dp_member *m;
	uint16_t number;

	steer_hop_init(hop);
	hop->to = &hop->at;
	hop->pair = dp_cfg_pair(c->cfg, c->source->pair);
	if (c->source->slot < DP_PAIR_MEMBERS && dp_pair_member(hop->pair, c->source->slot)->valid)
		hop->member = dp_pair_member(hop->pair, c->source->slot);
	if (!find_target(c, hop))
		return false;
	if (dp_cfg_listener_at(c->cfg, hop->to))
		return refuse(c, 404, "Nobody Of That Name Here",
			      "the next hop is the appliance itself");
	if (hop->to->port == 0 || dp_ip_is_unanswerable(&hop->to->ip))
		return refuse(c, 480, "No Way To The Next Hop",
			      "the next hop is no address that can be sent to");
	m = dp_cfg_member_at(c->cfg, hop->to, &number);
	if (m) {
		pair = dp_cfg_pair(c->cfg, number);
		return steer_hop_to_member(c, hop, pair, steer_twin_if_down(c, pair, m));
	}
	hop->from = client_listener(c, hop);
	if (!hop->from)
		return refuse(c, 480, "No Local Address Of The Next Hop's Family",
			      "no listener of the next hop's address family");
	return true;
}
