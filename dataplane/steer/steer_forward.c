/*
 * A request on its way: Via, Record-Route or Path on top; received and rport in the Via below;
 * Max-Forwards; our own Route values off. RFC 3261 16.6, RFC 3581, RFC 5658, RFC 3327.
 *
 * All text goes into the verdict; nothing is formatted but hex tokens and two small numbers.
 */
#include "dataplane/steer/steer_flight.h"

#include <errno.h>
#include <string.h>

#include "dataplane/steer/steer_prepare.h"

#define TEXT(s) (s), sizeof(s) - 1

/* RFC 3261 7.5; 18.3: what is beyond Content-Length is discarded. */
static __attribute__((noinline, cold)) int trim(struct steer_ctx *c)
{
	const struct sip_msg *m = c->m;
	uint16_t start = 0;
	int e = 0;

	while (m->buf[start] == '\r' || m->buf[start] == '\n')
		start++;
	if (start)
		e = sip_edits_add(&c->v->edits, 0, start, NULL, 0);
	if (e == 0 && m->len < c->in->len)
		e = sip_edits_add(&c->v->edits, (uint16_t)m->len, (uint16_t)(c->in->len - m->len),
				  NULL, 0);
	return e;
}

int steer_trim_edit(struct steer_ctx *c)
{
	return c->m->buf[0] > ' ' && c->m->len == c->in->len ? 0 : trim(c);
}

/* Fills the verdict, unless the message is too large. */
static inline bool decide(struct steer_ctx *c, const struct dp_listener *from,
			  const struct dp_endpoint *to, uint32_t member)
{
	struct steer_verdict *v = c->v;

	if (__builtin_expect(sip_edits_len(&v->edits, c->in->len) > STEER_DATAGRAM_MAX, 0)) {
		steer_drop(c, DP_REASON_NO_ROOM, "larger than a datagram with our header fields");
		return false;
	}
	v->action = STEER_FORWARD;
	v->from = from;
	v->to = *to;
	v->member = member;
	return true;
}

void steer_forward(struct steer_ctx *c, const struct dp_listener *from,
		   const struct dp_endpoint *to, uint32_t member)
{
	if (decide(c, from, to, member))
		c->s->p.counters->forwarded++;
}

static char *put_hostport(const struct steer_ctx *c, char *p, const struct dp_listener *l)
{
	return steer_put_short(p, dp_cfg_text(c->cfg, l->hostport), l->hostport.len);
}

/* ---- Via ---- */

/* Enough for any: nearly all are shorter than a line of the cache. */
static inline void copy_prepared(char *p, const char *text, size_t len)
{
	__builtin_memcpy(p, text, 64);
	if (__builtin_expect(len > 64, 0))
		__builtin_memcpy(p + 64, text + 64, DP_PREPARED_SIZE - 64);
}

static inline char *put_via(const struct dp_listener *in, char *p, const struct steer_hop *hop,
			    const struct steer_branch *b)
{
	const struct dp_listener *from = hop->from;
	const char *member = hop->member ? hop->member->digits + 8 : "00000000";
	size_t len = from->via_len;

	copy_prepared(p, from->via, len);
	p = steer_put(p + len, in->digits, 8);
	p = steer_put(p, member, 8);
	return steer_put(steer_branch_put_rest(b, p), TEXT("\r\n"));
}

/* ---- Record-Route and Path ---- */

/* Requests that form dialogs (RFC 3261 12, RFC 6665 4, RFC 3515 2.4.1); in a dialog too, for an
 * endpoint that has lost it and builds it anew (16.6 item 4). */
static inline bool forms_dialog(const struct sip_msg *m)
{
	const uint32_t methods = 1u << SIP_METHOD_INVITE | 1u << SIP_METHOD_SUBSCRIBE
				 | 1u << SIP_METHOD_NOTIFY | 1u << SIP_METHOD_REFER;

	_Static_assert(SIP_METHOD_N <= 32, "a bit for each");
	return methods >> m->method & 1;
}

#define PATH_HEAD "Path: <sip:"
#define PATH_TAIL ";lr>\r\n"

static char *put_flow(const struct steer_ctx *c, char *p, struct steer_flow *f)
{
	f->tag = steer_flow_tag(&c->cfg->secrets[0], f);
	steer_flow_write(f, p);
	p[STEER_FLOW_LEN] = '@';
	return p + STEER_FLOW_LEN + 1;
}

/* The client's side of this request: who sent it. */
static struct steer_flow source_flow(const struct steer_ctx *c)
{
	return (struct steer_flow){
		.instance = c->cfg->instance,
		.listener = c->in->listener->key,
		.ip = c->in->src.ip,
		.port = c->in->src.port,
	};
}

static inline bool names_source(const struct steer_ctx *c, struct sip_span host)
{
	struct sip_ip ip;

	/* The same text is the same address; another one may be, too. */
	if (host.len == c->src_len && steer_same_text(sip_at(c->m, host), c->src, c->src_len))
		return true;
	return steer_host_ip(c->m->buf, host, &ip) == 0 && dp_ip_equal(&ip, &c->in->src.ip);
}

/**
 * Whether requests in this dialog can reach the client only by the way it came: it is behind a
 * NAT. Seen from a Via that asks for rport (RFC 3581 3: it listens where it sends from) and names
 * another address than the source; or, outward, from a flow other than what the Request-URI says.
 */
static inline bool find_dialog_flow(const struct steer_ctx *c, const struct steer_hop *hop,
				    struct steer_flow *f)
{
	const struct sip_via *via = &c->m->via;
	struct dp_endpoint e;

	if (c->source) {
		if (!hop->flow)
			return false;
		*f = *hop->flow;
		return steer_uri_endpoint(c, &c->uri, c->strip_maddr, &e) < 0
		       || e.port != hop->to->port || !dp_ip_equal(&e.ip, &hop->to->ip);
	}
	if (!via->has_rport)
		return false;
	if ((via->port ? via->port : STEER_SIP_PORT) == c->in->src.port
	    && names_source(c, via->host))
		return false;
	*f = source_flow(c);
	return true;
}

/* Where a value names the flow: behind "sip:". */
static __attribute__((noinline)) char *put_route_flow(const struct steer_ctx *c, char *p,
						      const struct dp_listener *at,
						      struct steer_flow *flow)
{
	const size_t head = sizeof(STEER_ROUTE_HEAD) - 1;

	p = put_flow(c, steer_put(p, at->route, head), flow);
	return steer_put(p, at->route + head, at->route_len - head);
}

/* One value: for the side of `at`, whose requests leave from `other`. */
static inline char *put_rr(const struct steer_ctx *c, char *p, const struct steer_hop *hop,
			   const struct dp_listener *at, const struct dp_listener *other,
			   const struct steer_cookie *k, struct steer_flow *flow)
{
	const struct dp_member *member = hop->member;
	size_t len = at->route_len;

	if (flow) {
		p = put_route_flow(c, p, at, flow);
	} else {
		copy_prepared(p, at->route, len);
		p += len;
	}
	if (member)
		memcpy(p, member->digits, sizeof(member->digits));
	else
		steer_hex_put(p, (uint64_t)hop->pair->key << 32);
	p = steer_put(p + 16, other->digits, sizeof(other->digits));
	return steer_put(steer_cookie_put_rest(k, p), TEXT(">\r\n"));
}

static inline struct steer_cookie cookie_of(const struct steer_ctx *c, const struct steer_hop *hop,
					    const struct dp_listener *other)
{
	return (struct steer_cookie){
		.pair = hop->pair->key,
		.member = hop->member ? hop->member->key : 0,
		.listener = other->key,
		.direction = c->source ? STEER_OUTWARD : STEER_INWARD,
	};
}

/* RFC 5658 5: one value for each side when address, port, transport or interface changes, the side
 * that the request goes to on top. This is the other one. */
static __attribute__((noinline)) char *put_rr_below(const struct steer_ctx *c, char *p,
						    const struct steer_hop *hop,
						    struct steer_flow *flow)
{
	struct steer_cookie k = cookie_of(c, hop, hop->from);
	struct sip_span id = c->m->call_id;

	k.tag = steer_cookie_tag(&c->cfg->secrets[0], &k, sip_at(c->m, id), id.len);
	return put_rr(c, p, hop, c->in->listener, hop->from, &k, flow);
}

static inline char *put_record_route(const struct steer_ctx *c, char *p,
				     const struct steer_hop *hop, const struct steer_cookie *k)
{
	struct steer_flow flow, *f = find_dialog_flow(c, hop, &flow) ? &flow : NULL;
	const struct dp_listener *in = c->in->listener;

	p = put_rr(c, p, hop, hop->from, in, k, f);
	return hop->from == in ? p : put_rr_below(c, p, hop, f);
}

static char *put_path(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	struct steer_flow f = source_flow(c);

	p = steer_put(p, TEXT(PATH_HEAD));
	p = put_flow(c, p, &f);
	p = put_hostport(c, p, hop->from);
	return steer_put(p, TEXT(PATH_TAIL));
}

/* What our header fields take at most: a Via, two Record-Routes or a Path; and what is written
 * behind it, of texts that are copied whole. */
#define TOP_ROOM                                                                        \
	(DP_PREPARED_SIZE + 16 + STEER_BRANCH_REST_LEN + 2                              \
	 + 2 * (DP_PREPARED_SIZE + STEER_FLOW_LEN + 1 + 24 + STEER_COOKIE_REST_LEN + 3) \
	 + DP_PREPARED_SIZE)

_Static_assert(STEER_HOSTPORT_MAX + sizeof(PATH_HEAD) + sizeof(PATH_TAIL) < 2 * DP_PREPARED_SIZE,
	       "a Path takes less");

/* Tags of our Via and our topmost Record-Route: together, if they are under one key. */
static inline void tag(const struct steer_ctx *c, struct steer_branch *b, struct steer_cookie *k)
{
	const struct dp_secret *first = &c->cfg->secrets[0];
	struct sip_span id = c->m->call_id;

	if (__builtin_expect(c->t.secret == first, 1)) {
		steer_tag_both(first, b, c->t.mac, k, sip_at(c->m, id), id.len);
	} else {
		b->tag = steer_branch_tag(c->t.secret, b, c->t.mac);
		k->tag = steer_cookie_tag(first, k, sip_at(c->m, id), id.len);
	}
}

/* Our header fields, on top of all others: what a list of values begins with stands above it. */
static inline char *put_top(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	const struct dp_listener *in = c->in->listener;
	struct steer_branch b = {
		.listener = in->key,
		.member = hop->member ? hop->member->key : 0,
		.loop = c->t.loop,
		.attempt = hop->attempt,
		.owner = c->t.record ? (uint8_t)c->s->p.worker : STEER_NO_OWNER,
		.outward = c->source != NULL,
	};
	struct steer_cookie k;

	if (forms_dialog(c->m) && hop->pair) {
		k = cookie_of(c, hop, in);
		tag(c, &b, &k);
		p = put_via(in, p, hop, &b);
		return put_record_route(c, p, hop, &k);
	}
	b.tag = steer_branch_tag(c->t.secret, &b, c->t.mac);
	p = put_via(in, p, hop, &b);
	if (c->m->method == SIP_METHOD_REGISTER && c->service->path && !c->source)
		p = put_path(c, p, hop);
	return p;
}

/* ---- The rest ---- */

#define RECEIVED ";received="
#define RPORT    ";rport="

#define ONE(t, o) (uint16_t)(('0' + (t)) | ('0' + (o)) << 8)
#define TEN(t)                                                                                  \
	ONE(t, 0), ONE(t, 1), ONE(t, 2), ONE(t, 3), ONE(t, 4), ONE(t, 5), ONE(t, 6), ONE(t, 7), \
		ONE(t, 8), ONE(t, 9)

/* Two digits each. */
static const uint16_t two_digits[100] = { TEN(0), TEN(1), TEN(2), TEN(3), TEN(4),
					  TEN(5), TEN(6), TEN(7), TEN(8), TEN(9) };

/* Decimal digits of v; six bytes are written at most, of which the first ones count. */
static inline char *put_u16(char *p, uint32_t v)
{
	uint32_t digits;

	if (v < 100) {
		memcpy(p, &two_digits[v], 2);
		p[0] = v < 10 ? p[1] : p[0];
		return p + (v < 10 ? 1 : 2);
	}
	if (v >= 10000) {
		*p++ = (char)('0' + v / 10000);
		v %= 10000;
		digits = two_digits[v / 100] | (uint32_t)two_digits[v % 100] << 16;
		memcpy(p, &digits, sizeof(digits));
		return p + 4;
	}
	digits = two_digits[v / 100] | (uint32_t)two_digits[v % 100] << 16;
	digits >>= v < 1000 ? 8 : 0;
	memcpy(p, &digits, sizeof(digits));
	return p + (v < 1000 ? 3 : 4);
}

/* Room for what is no header field: received and rport, Max-Forwards. */
#define RECEIVED_ROOM 80u
#define HOPS_ROOM     32u

/* The source address, as it will stand in the Via, at `text`. Returns its end. */
static inline char *put_received(struct steer_ctx *c, const struct steer_in *in, char *text)
{
	char *ip = steer_put(text, TEXT(RECEIVED));
	size_t len = dp_ip_put(&in->src.ip, ip);

	c->src = ip;
	c->src_len = (uint8_t)len;
	return ip + len;
}

/* RFC 3581 4: what the top Via says of the source, behind put_received(). A member that has not
 * asked for rport gets none: it may listen elsewhere than it sends from (RFC 3261 18.2.1). Returns
 * where it goes, and *end. */
static inline struct sip_span put_rport(const struct steer_ctx *c, const struct steer_in *in,
					const struct sip_via *via, char **end)
{
	struct sip_span at = { (uint16_t)(via->value.off + via->value.len), 0 };

	if (via->has_rport || !c->source) {
		*end = put_u16(steer_put(*end, TEXT(RPORT)), in->src.port);
		if (via->has_rport)
			at = via->rport_param;
	} else if (via->has_received) {
		at = via->received_param;
	}
	return at;
}

/* Returns by how much the message grows. */
static inline int32_t set_edit(struct sip_edit *e, struct sip_span at, const char *text,
			       const char *end)
{
	uint16_t len = (uint16_t)(end - text);

	memcpy(e, &at, sizeof(at));
	e->ins_len = len;
	e->ins = (const uint8_t *)text;
	return len - (int32_t)at.len;
}

_Static_assert(offsetof(struct sip_edit, del) == 2 && offsetof(struct sip_span, len) == 2,
	       "an edit begins with its span");

/* A Via that has both parameters already, or no Max-Forwards, or a large one, or one above the Via,
 * or edits before, are rare, and left to the editor. */
static __attribute__((noinline, cold)) int edit_rare(struct steer_ctx *c,
						     const struct steer_hop *hop)
{
	const struct sip_msg *m = c->m;
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_MAX_FORWARDS);
	bool both = m->via.has_received && (m->via.has_rport || !c->source);
	char *text = steer_text(c->v, RECEIVED_ROOM + HOPS_ROOM + TOP_ROOM);
	char *hops = text + RECEIVED_ROOM, *top = hops + HOPS_ROOM, *end, *top_end;
	struct sip_edits *es = &c->v->edits;
	struct sip_span at;
	int e;

	if (!text)
		return -ENOSPC;
	end = put_received(c, c->in, text);
	at = put_rport(c, c->in, &m->via, &end);
	top_end = put_top(c, top, hop);
	c->v->text_len = (uint16_t)(top_end - c->v->text);
	e = sip_edits_add(es, m->hdrs_off, 0, top, (uint16_t)(top_end - top));
	if (e == 0)
		e = both ? sip_edit_via_received(es, m, text, c->src, c->src_len, c->in->src.port)
			 : sip_edits_add(es, at.off, at.len, text, (uint16_t)(end - text));
	return e ? e : sip_edit_max_forwards(es, m, hops, h ? m->max_forwards - 1 : 70);
}

/* What every request gets: our header fields, received and rport, RFC 3261 16.6 item 3. All at once
 * when the edits are in the order in which they are in most messages. */
static inline __attribute__((always_inline)) int edit_front(struct steer_ctx *c,
							    const struct steer_hop *hop)
{
	const struct sip_msg *m = c->m;
	const struct sip_hdr *h = &m->hdr[m->first[SIP_HDR_MAX_FORWARDS]];
	struct steer_verdict *v = c->v;
	char *text = v->text, *hops = text + RECEIVED_ROOM, *top = hops + HOPS_ROOM, *end;
	struct sip_edits *es = &v->edits;
	uint32_t max_forwards = m->max_forwards - 1;
	struct sip_span at;
	int32_t delta;

	_Static_assert(RECEIVED_ROOM + HOPS_ROOM + TOP_ROOM <= STEER_TEXT_SIZE, "all fits");
	if (__builtin_expect(es->n != 0 || v->text_len != 0 || m->via.has_received
				     || !sip_msg_has(m, SIP_HDR_MAX_FORWARDS)
				     || max_forwards > UINT16_MAX,
			     0))
		return edit_rare(c, hop);
	end = put_received(c, c->in, text);
	at = put_rport(c, c->in, &m->via, &end);
	if (__builtin_expect(at.off + at.len > h->value_off, 0))
		return edit_rare(c, hop);
	delta = set_edit(&es->e[1], at, text, end);
	end = put_u16(hops, max_forwards);
	delta += set_edit(&es->e[2], (struct sip_span){ h->value_off, h->value_len }, hops, end);
	end = put_top(c, top, hop);
	es->n = 3;
	v->text_len = (uint16_t)(end - text);
	delta += set_edit(&es->e[0], (struct sip_span){ m->hdrs_off, 0 }, top, end);
	es->delta = delta;
	return 0;
}

/* Member number for the verdict: that the request goes to, else that it comes from. */
static uint32_t member_of(const struct steer_ctx *c, const struct steer_hop *hop)
{
	if (hop->number != STEER_NO_MEMBER || !c->source || !hop->member)
		return hop->number;
	return steer_member_number(c->cfg, hop->pair, hop->member);
}

static void count(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct dp_member_group *members = c->s->p.members;

	if (members && hop->number != STEER_NO_MEMBER)
		++*DP_MEMBER_COUNTER(members, hop->number, requests[c->m->method]);
}

/* Most have no Route, and a Request-URI that stays. */
static inline int routes_edit(struct steer_ctx *c)
{
	return c->has_routes ? steer_routes_edit(c) : 0;
}

/* again: it is a copy, which is counted for its member alone. */
static inline __attribute__((always_inline)) void forward(struct steer_ctx *c,
							  const struct steer_hop *hop, bool again)
{
	int e;

	if (!again && !c->source)
		steer_transaction_record(c, hop);
	e = steer_trim_edit(c);
	if (e == 0)
		e = edit_front(c, hop);
	if (e == 0)
		e = routes_edit(c);
	if (e < 0) {
		steer_drop(c, DP_REASON_NO_ROOM, "its edits do not fit");
		return;
	}
	if (!decide(c, hop->from, hop->to, member_of(c, hop)))
		return;
	count(c, hop);
	if (again)
		return;
	c->s->p.counters->forwarded++;
	if (c->is_trial)
		steer_trial_sent(c, hop);
	if (c->t.record && !c->source && hop->number != STEER_NO_MEMBER)
		steer_flight_sent(c, hop);
}

void steer_forward_request(struct steer_ctx *c, const struct steer_hop *hop)
{
	forward(c, hop, false);
}

/* In a function of its own, so that the other one is asked for at one place, and in line there. */
__attribute__((noinline)) void steer_forward_again(struct steer_ctx *c, const struct steer_hop *hop)
{
	forward(c, hop, true);
}
