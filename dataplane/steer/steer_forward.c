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

static size_t via_size(const struct dp_listener *from)
{
	return sizeof(VIA_HEAD) + from->hostport.len + sizeof(VIA_BRANCH) + STEER_BRANCH_LEN + 2;
}

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

static size_t rr_size(const struct dp_listener *l)
{
	return sizeof(RR_HEAD) + STEER_FLOW_LEN + 1 + l->hostport.len + sizeof(RR_COOKIE)
	       + STEER_COOKIE_LEN + 3;
}

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

static size_t path_size(const struct dp_listener *l)
{
	return sizeof(PATH_HEAD) + STEER_FLOW_LEN + 1 + l->hostport.len + sizeof(PATH_TAIL);
}

static char *put_path(const struct steer_ctx *c, char *p, const struct steer_hop *hop)
{
	struct steer_flow f = source_flow(c);

	p = steer_put(p, TEXT(PATH_HEAD));
	p = put_flow(c, p, &f);
	p = put_hostport(c, p, hop->from);
	return steer_put(p, TEXT(PATH_TAIL));
}

/* Our header fields, on top of all others: what a list of values begins with stands above it. */
static int push_top(struct steer_ctx *c, const struct steer_hop *hop)
{
	bool rr = forms_dialog(c->m) && hop->pair;
	bool path = c->m->method == SIP_METHOD_REGISTER && c->service->path && !c->source;
	size_t size = via_size(hop->from);
	char *top, *p;

	if (rr)
		size += rr_size(hop->from) + rr_size(c->in->listener);
	if (path)
		size += path_size(hop->from);
	top = steer_text(c->v, size);
	if (!top)
		return -ENOSPC;
	p = put_via(c, top, hop);
	if (rr)
		p = put_record_route(c, p, hop);
	if (path)
		p = put_path(c, p, hop);
	return steer_edit(&c->v->edits, c->m->hdrs_off, 0, top, (uint16_t)(p - top));
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

static struct sip_span end_of(const struct sip_via *via)
{
	return (struct sip_span){ (uint16_t)(via->value.off + via->value.len), 0 };
}

static int set_both(struct steer_ctx *c)
{
	char *text = steer_text(c->v, 80);

	return text ? sip_edit_via_received(&c->v->edits, c->m, text, c->src, c->src_len,
					    c->in->src.port)
		    : -ENOSPC;
}

/* The text with the source address, for the Via; c->src is that address in it. NULL: no room. */
static char *write_received(struct steer_ctx *c)
{
	char *text = steer_text(c->v, 80);

	if (!text)
		return NULL;
	c->src = steer_put(text, TEXT(RECEIVED));
	c->src_len = (uint8_t)dp_ip_format(&c->in->src.ip, text + sizeof(RECEIVED) - 1);
	return text;
}

/* RFC 3581 4. A member that has not asked for rport gets none: it may listen elsewhere than it
 * sends from (RFC 3261 18.2.1). What has both already is rare, and left to the editor. */
static int set_received(struct steer_ctx *c, char *text)
{
	const struct sip_via *via = &c->m->via;
	char *p = text + sizeof(RECEIVED) - 1 + c->src_len;
	struct sip_span at = via->rport_param;

	if (c->source && !via->has_rport) {
		at = via->has_received ? via->received_param : end_of(via);
		return sip_edit_replace(&c->v->edits, at, text, (uint16_t)(p - text));
	}
	if (via->has_received)
		return set_both(c);
	if (!via->has_rport)
		at = end_of(via);
	p = steer_put(p, TEXT(RPORT));
	p = put_u16(p, c->in->src.port);
	return steer_edit(&c->v->edits, at.off, at.len, text, (uint16_t)(p - text));
}

/* RFC 3261 16.6 item 3. */
static int set_max_forwards(struct steer_ctx *c)
{
	const struct sip_hdr *h = sip_msg_hdr(c->m, SIP_HDR_MAX_FORWARDS);
	uint32_t value = h ? c->m->max_forwards - 1 : 70;
	char *text = steer_text(c->v, 32);

	if (!text)
		return -ENOSPC;
	if (!h || value > UINT16_MAX)
		return sip_edit_max_forwards(&c->v->edits, c->m, text, value);
	return steer_edit(&c->v->edits, h->value_off, h->value_len, text,
			  (uint16_t)(put_u16(text, (uint16_t)value) - text));
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
		members[hop->number].requests[c->m->method]++;
}

void steer_forward_request(struct steer_ctx *c, const struct steer_hop *hop)
{
	char *received = write_received(c);
	int e = received ? steer_trim_edit(c) : -ENOSPC;

	if (!c->source && !c->way)
		steer_transaction_record(c, hop);
	if (e == 0)
		e = push_top(c, hop);
	if (e == 0)
		e = set_received(c, received);
	if (e == 0)
		e = set_max_forwards(c);
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
