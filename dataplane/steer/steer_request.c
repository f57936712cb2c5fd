/*
 * Requests: the checks of RFC 3261 16.3 in its order, what is for the appliance itself, then where
 * to and on.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

#include "dataplane/steer/steer_plain.h"

/* 416 for a scheme that nothing here can route (16.3 item 2). A SIPS URI may not be carried over a
 * leg without TLS (RFC 5630 5.3). */
static __attribute__((noinline)) bool check_any_uri(struct steer_ctx *c)
{
	if (sip_msg_uri(c->m, c->m->uri, &c->uri) < 0) {
		steer_answer(c, 400, "Bad Request-URI", NULL, DP_REASON_SIP_MALFORMED,
			     "the Request-URI is malformed");
		return false;
	}
	if (c->uri.headers.len) { /* 19.1.1; RFC 4475 3.1.2.11 */
		steer_answer(c, 400, "Headers In The Request-URI", NULL, DP_REASON_SIP_MALFORMED,
			     "the Request-URI carries headers");
		return false;
	}
	if (c->uri.scheme == SIP_SCHEME_OTHER) {
		steer_answer(c, 416, NULL, NULL, DP_REASON_REQ_UNROUTABLE, "unsupported scheme");
		return false;
	}
	if (c->uri.scheme == SIP_SCHEME_SIPS) {
		steer_answer(c, 480, NULL, "Warning: 380 sipsteer \"SIPS Not Allowed\"\r\n",
			     DP_REASON_REQ_UNROUTABLE, "a SIPS URI over UDP");
		return false;
	}
	return true;
}

static inline bool check_uri(struct steer_ctx *c)
{
	return steer_plain_uri(c->m, c->m->uri, &c->uri) || check_any_uri(c);
}

/**
 * Whether the request has been here with the same Request-URI and Route, in the same direction
 * (16.3 item 4, 16.6 item 8): a loop. With others it is a spiral, which passes. The direction is
 * among the fields that routing depends on: what a client sent to a member may come back from the
 * member unchanged, and goes outward then, if it can.
 */
static __attribute__((noinline)) bool is_loop(struct steer_ctx *c)
{
	const uint8_t *buf = c->m->buf;
	struct steer_branch b;
	struct sip_via_iter it;
	struct sip_via via;

	steer_lower_vias(&it, c->m);
	while (sip_via_iter_next(&it, &via) > 0) {
		if (steer_branch_read(buf + via.branch.off, via.branch.len, &b) < 0
		    || b.loop != c->t.loop || !steer_own_listener(c, via.host, via.port))
			continue;
		if (b.outward == (c->source != NULL))
			return true;
		c->came_back = true;
	}
	return false;
}

static __attribute__((noinline)) bool check_routes(struct steer_ctx *c)
{
	if (steer_routes_scan(c) < 0) {
		steer_answer(c, 400, "Bad Route", NULL, DP_REASON_SIP_MALFORMED,
			     "a Route value is malformed");
		return false;
	}
	c->has_routes = true;
	c->in_dialog = c->m->to_tag.len > 0 || c->routes.n_crossings > 0;
	return true;
}

static inline bool check_route_and_hops(struct steer_ctx *c)
{
	/* Nothing to be taken off, and no maddr. */
	if (sip_msg_has(c->m, SIP_HDR_ROUTE) || c->uri.params.len)
		return check_routes(c);
	c->in_dialog = c->m->to_tag.len > 0;
	return true;
}

/* OPTIONS whose Request-URI is the appliance: our address or name, no user, no Route beyond us (RFC
 * 3261 11). Without a port, our address is ours whatever port it was sent to. */
static __attribute__((noinline)) bool is_for_us(const struct steer_ctx *c)
{
	uint16_t port = c->in->listener->at.port;
	const struct sip_uri *u = &c->uri;

	if (u->has_user || u->scheme != SIP_SCHEME_SIP || c->routes.has_next)
		return false;
	if (steer_own_listener(c, u->host, u->port))
		return true;
	if (u->port == 0 && steer_own_listener(c, u->host, port))
		return true;
	return (u->port == 0 || u->port == port) && steer_own_name(c, u->host);
}

static bool check_limits(struct steer_ctx *c)
{
	const struct sip_msg *m = c->m;

	if (sip_msg_has(m, SIP_HDR_MAX_FORWARDS) && m->max_forwards == 0) {
		steer_answer(c, 483, NULL, NULL, DP_REASON_REQ_UNROUTABLE, "Max-Forwards is 0");
		return false;
	}
	if (m->more_vias && is_loop(c)) {
		steer_answer(c, 482, NULL, NULL, DP_REASON_REQ_UNROUTABLE,
			     "it has been here before with the same Request-URI and Route");
		return false;
	}
	/* Proxy-Require has no place in CANCEL and ACK (8.2.2.3), so it is not looked at there. */
	if (sip_msg_has(m, SIP_HDR_PROXY_REQUIRE) && m->method != SIP_METHOD_ACK
	    && m->method != SIP_METHOD_CANCEL) {
		steer_answer_420(c, SIP_HDR_PROXY_REQUIRE);
		return false;
	}
	return true;
}

static void count_member(const struct steer_ctx *c)
{
	if (c->s->p.members && c->source->slot < DP_PAIR_MEMBERS)
		++*DP_MEMBER_COUNTER(c->s->p.members,
				     (uint32_t)c->source->pair * DP_PAIR_MEMBERS + c->source->slot,
				     from);
}

void steer_request(struct steer_ctx *c)
{
	const bool is_client = c->source == NULL;
	struct steer_hop hop;
	bool on;

	if (!is_client)
		count_member(c);
	if (c->m->method == SIP_METHOD_ACK && steer_is_own_ack(c)) {
		steer_flight_own_ack(c);
		steer_drop(c, DP_REASON_REQ_ACK_ABSORBED, "ACK for an answer of our own");
		return;
	}
	if (c->service->max_message && c->in->len > c->service->max_message) {
		steer_answer(c, 513, NULL, NULL, DP_REASON_SIP_TOO_LARGE,
			     "larger than max-message");
		return;
	}
	if (!check_uri(c) || !check_route_and_hops(c))
		return;
	if (c->m->method == SIP_METHOD_OPTIONS && is_for_us(c)) {
		steer_answer_options(c);
		return;
	}
	if (is_client && !c->slot)
		steer_select_early(c);
	steer_transaction_find(c);
	if (!c->t.record)
		c->t.loop = steer_loop_hash(c->t.secret, c->m);
	if (!check_limits(c))
		return;
	if (c->t.record && is_client && !steer_flight_request(c))
		return;
	on = is_client ? steer_inward(c, &hop) : steer_outward(c, &hop);
	if (on)
		steer_forward_request(c, &hop);
}

void steer_request_again(struct steer_ctx *c)
{
	struct steer_hop hop;

	if (!check_uri(c) || !check_route_and_hops(c))
		return;
	steer_transaction_find(c);
	if (c->t.record && steer_inward_any(c, &hop))
		steer_forward_again(c, &hop);
}
