/*
 * A request on its way: Via, Record-Route or Path on top; received and rport in the Via below;
 * Max-Forwards; our own Route values off. RFC 3261 16.6, RFC 3581, RFC 5658, RFC 3327.
 *
 * All text goes into the verdict; nothing is formatted but hex tokens and two small numbers.
 */
#include "dataplane/steer/steer_flight.h"

#include <errno.h>
#include <string.h>

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

void steer_forward(struct steer_ctx *c, const struct dp_listener *from,
		   const struct dp_endpoint *to, uint32_t member)
{
	if (sip_edits_len(&c->v->edits, c->in->len) > STEER_DATAGRAM_MAX) {
		steer_drop(c, DP_REASON_NO_ROOM, "larger than a datagram with our header fields");
		return;
	}
	c->v->action = STEER_FORWARD;
	c->v->from = from;
	c->v->to = *to;
	c->v->member = member;
	if (!c->way)
		c->s->p.counters->forwarded++;
}

static char *put_hostport(const struct steer_ctx *c, char *p, const struct dp_listener *l)
{
	return steer_put_short(p, dp_cfg_text(c->cfg, l->hostport), l->hostport.len);
}

/* ---- Via ---- */

#define VIA_HEAD   "Via: SIP/2.0/UDP "
#define VIA_BRANCH ";rport;branch="

static char *put_via(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	struct steer_branch b = {
		.listener = c->in->listener->key,
		.member = hop->member ? hop->member->key : 0,
		.loop = c->t.loop,
		.attempt = hop->attempt,
		.owner = c->t.record ? (uint8_t)c->s->p.worker : STEER_NO_OWNER,
		.outward = c->source != NULL,
	};

	b.tag = steer_branch_tag(c->t.secret, &b, c->t.mac);
	p = steer_put(p, TEXT(VIA_HEAD));
	p = put_hostport(c, p, hop->from);
	p = steer_put(p, TEXT(VIA_BRANCH));
	steer_branch_write(&b, p);
	return steer_put(p + STEER_BRANCH_LEN, TEXT("\r\n"));
}

/* ---- Record-Route and Path ---- */

/* Requests that form dialogs (RFC 3261 12, RFC 6665 4, RFC 3515 2.4.1); in a dialog too, for an
 * endpoint that has lost it and builds it anew (16.6 item 4). */
static bool forms_dialog(const struct sip_msg *m)
{
	switch ((enum sip_method)m->method) {
	case SIP_METHOD_INVITE:
	case SIP_METHOD_SUBSCRIBE:
	case SIP_METHOD_NOTIFY:
	case SIP_METHOD_REFER: return true;
	default: return false;
	}
}

#define RR_HEAD   "Record-Route: <sip:"
#define RR_COOKIE ";lr;ss="
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

static bool names_source(const struct steer_ctx *c, struct sip_span host)
{
	struct sip_ip ip;

	/* The same text is the same address; another one may be, too. */
	if (host.len == c->src_len && memcmp(sip_at(c->m, host), c->src, c->src_len) == 0)
		return true;
	return steer_host_ip(c->m->buf, host, &ip) == 0 && dp_ip_equal(&ip, &c->in->src.ip);
}

/**
 * Whether requests in this dialog can reach the client only by the way it came: it is behind a
 * NAT. Seen from a Via that asks for rport (RFC 3581 3: it listens where it sends from) and names
 * another address than the source; or, outward, from a flow other than what the Request-URI says.
 */
static bool find_dialog_flow(const struct steer_ctx *c, const struct steer_hop *hop,
			     struct steer_flow *f)
{
	const struct sip_via *via = &c->m->via;
	struct dp_endpoint e;

	if (c->source) {
		if (!hop->flow)
			return false;
		*f = *hop->flow;
		return steer_uri_endpoint(c, &c->uri, c->strip_maddr, &e) < 0
		       || e.port != hop->to.port || !dp_ip_equal(&e.ip, &hop->to.ip);
	}
	if (!via->has_rport)
		return false;
	if ((via->port ? via->port : STEER_SIP_PORT) == c->in->src.port
	    && names_source(c, via->host))
		return false;
	*f = source_flow(c);
	return true;
}

/* One value: for the side of `at`, whose requests leave from `other`. */
static char *put_rr(const struct steer_ctx *c, char *p, const struct steer_hop *hop,
		    const struct dp_listener *at, const struct dp_listener *other,
		    struct steer_flow *flow)
{
	struct steer_cookie k = {
		.pair = hop->pair->key,
		.member = hop->member ? hop->member->key : 0,
		.listener = other->key,
		.direction = c->source ? STEER_OUTWARD : STEER_INWARD,
	};

	k.tag = steer_cookie_tag(&c->cfg->secrets[0], &k, sip_at(c->m, c->m->call_id),
				 c->m->call_id.len);
	p = steer_put(p, TEXT(RR_HEAD));
	if (flow)
		p = put_flow(c, p, flow);
	p = put_hostport(c, p, at);
	p = steer_put(p, TEXT(RR_COOKIE));
	steer_cookie_write(&k, p);
	return steer_put(p + STEER_COOKIE_LEN, TEXT(">\r\n"));
}

static char *put_record_route(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	struct steer_flow flow, *f = find_dialog_flow(c, hop, &flow) ? &flow : NULL;
	const struct dp_listener *in = c->in->listener;

	/* RFC 5658 5: one value for each side when address, port, transport or interface changes,
	 * the side that the request goes to on top. */
	p = put_rr(c, p, hop, hop->from, in, f);
	if (hop->from != in)
		p = put_rr(c, p, hop, in, hop->from, f);
	return p;
}

static char *put_path(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	struct steer_flow f = source_flow(c);

	p = steer_put(p, TEXT(PATH_HEAD));
	p = put_flow(c, p, &f);
	p = put_hostport(c, p, hop->from);
	return steer_put(p, TEXT(PATH_TAIL));
}

/* What our header fields take at most: a Via, two Record-Routes or a Path. */
static size_t top_room(const struct steer_ctx *c, const struct steer_hop *hop)
{
	enum {
		VIA = sizeof(VIA_HEAD) + sizeof(VIA_BRANCH) + STEER_BRANCH_LEN + 2,
		RR = sizeof(RR_HEAD) + STEER_FLOW_LEN + 1 + sizeof(RR_COOKIE) + STEER_COOKIE_LEN
		     + 3,
		PATH = sizeof(PATH_HEAD) + STEER_FLOW_LEN + 1 + sizeof(PATH_TAIL),
	};

	_Static_assert((int)PATH < 2 * (int)RR, "one or the other");
	return VIA + 2 * RR + 2 * hop->from->hostport.len + c->in->listener->hostport.len;
}

/* Our header fields, on top of all others: what a list of values begins with stands above it. */
static char *put_top(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	p = put_via(c, p, hop);
	if (forms_dialog(c->m) && hop->pair)
		p = put_record_route(c, p, hop);
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
static char *put_received(struct steer_ctx *c, char *text)
{
	char *ip = steer_put(text, TEXT(RECEIVED));

	c->src = ip;
	c->src_len = (uint8_t)dp_ip_format(&c->in->src.ip, ip);
	return ip + c->src_len;
}

static struct sip_edit edit_at(uint32_t off, uint32_t del, const char *text, const char *end)
{
	return (struct sip_edit){ .off = (uint16_t)off,
				  .del = (uint16_t)del,
				  .ins_len = (uint16_t)(end - text),
				  .ins = (const uint8_t *)text };
}

/* RFC 3581 4. A member that has not asked for rport gets none: it may listen elsewhere than it
 * sends from (RFC 3261 18.2.1). */
static struct sip_edit edit_via(struct steer_ctx *c, char *text, char *end)
{
	const struct sip_via *via = &c->m->via;
	struct sip_span at = { (uint16_t)(via->value.off + via->value.len), 0 };

	if (via->has_rport || !c->source) {
		end = put_u16(steer_put(end, TEXT(RPORT)), c->in->src.port);
		if (via->has_rport)
			at = via->rport_param;
	} else if (via->has_received) {
		at = via->received_param;
	}
	return edit_at(at.off, at.len, text, end);
}

/* All at once when they are in the order in which they are in most messages. */
static int add_three(struct sip_edits *es, struct sip_edit a, struct sip_edit b, struct sip_edit d)
{
	int e;

	if (es->n == 0 && a.off < b.off && (uint32_t)b.off + b.del <= d.off) {
		es->e[0] = a;
		es->e[1] = b;
		es->e[2] = d;
		es->n = 3;
		es->delta = a.ins_len - a.del + b.ins_len - b.del + d.ins_len - d.del;
		return 0;
	}
	e = sip_edits_add(es, a.off, a.del, a.ins, a.ins_len);
	if (e == 0)
		e = sip_edits_add(es, b.off, b.del, b.ins, b.ins_len);
	return e ? e : sip_edits_add(es, d.off, d.del, d.ins, d.ins_len);
}

/* A Via that has both parameters already, or no Max-Forwards, or a large one, are rare, and left to
 * the editor. */
static __attribute__((noinline)) int edit_rare(struct steer_ctx *c, struct sip_edit top,
					       struct sip_edit via, bool both)
{
	const struct sip_hdr *h = sip_msg_hdr(c->m, SIP_HDR_MAX_FORWARDS);
	char *text = steer_text(c->v, RECEIVED_ROOM + HOPS_ROOM);
	struct sip_edits *es = &c->v->edits;
	int e;

	if (!text)
		return -ENOSPC;
	e = sip_edits_add(es, top.off, top.del, top.ins, top.ins_len);
	if (e == 0)
		e = both ? sip_edit_via_received(es, c->m, text, c->src, c->src_len,
						 c->in->src.port)
			 : sip_edits_add(es, via.off, via.del, via.ins, via.ins_len);
	return e ? e
		 : sip_edit_max_forwards(es, c->m, text + RECEIVED_ROOM,
					 h ? c->m->max_forwards - 1 : 70);
}

/* What every request gets: our header fields, received and rport, RFC 3261 16.6 item 3. */
static int edit_front(struct steer_ctx *c, const struct steer_hop *hop)
{
	const struct sip_msg *m = c->m;
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_MAX_FORWARDS);
	char *text = steer_text(c->v, RECEIVED_ROOM + HOPS_ROOM + top_room(c, hop));
	char *hops = text + RECEIVED_ROOM, *top = hops + HOPS_ROOM, *end;
	bool both = m->via.has_received && (m->via.has_rport || !c->source);
	struct sip_edit front, via;

	if (!text)
		return -ENOSPC;
	end = put_received(c, text);
	via = edit_via(c, text, end);
	end = put_top(c, top, hop);
	c->v->text_len = (uint16_t)(end - c->v->text);
	front = edit_at(m->hdrs_off, 0, top, end);
	if (both || !h || m->max_forwards - 1 > UINT16_MAX)
		return edit_rare(c, front, via, both);
	return add_three(
		&c->v->edits, front, via,
		edit_at(h->value_off, h->value_len, hops, put_u16(hops, m->max_forwards - 1)));
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
	struct dp_member_counters *members = c->s->p.members;

	if (members && hop->to_member && hop->number != STEER_NO_MEMBER)
		members[dp_member_place(hop->number)].requests[c->m->method]++;
}

void steer_forward_request(struct steer_ctx *c, const struct steer_hop *hop)
{
	int e;

	if (!c->source && !c->way)
		steer_transaction_record(c, hop);
	e = steer_trim_edit(c);
	if (e == 0)
		e = edit_front(c, hop);
	if (e == 0)
		e = steer_routes_edit(c);
	if (e < 0) {
		steer_drop(c, DP_REASON_NO_ROOM, "its edits do not fit");
		return;
	}
	steer_forward(c, hop->from, &hop->to, member_of(c, hop));
	if (c->v->action != STEER_FORWARD)
		return;
	count(c, hop);
	if (c->way)
		return;
	if (c->is_trial)
		steer_trial_sent(c, hop);
	if (hop->to_member && c->t.record && !c->source)
		steer_flight_sent(c, hop);
}
