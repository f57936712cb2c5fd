/*
 * Route: our own values are popped and read, the rest says where the request goes next. RFC
 * 3261 16.4 (strict routers and maddr in front of us), 16.6 item 6 (strict routers behind us),
 * RFC 5658 (two values of ours), RFC 3327 (Path values).
 *
 * A value of ours is one whose URI names a listener. Its cookie and flow token are believed only
 * when their tags are right; a value without, or with forged ones, is popped all the same.
 */
#include "dataplane/steer/steer_internal.h"

#include <errno.h>
#include <string.h>

/* The cookie of one of our URIs, when it is valid for this call. */
static bool read_cookie(const struct steer_ctx *c, const struct sip_uri *u, struct steer_cookie *k)
{
	struct sip_span value, id = c->m->call_id;

	return sip_param_find(c->m->buf, u->params, "ss", &value)
	       && steer_cookie_read(sip_at(c->m, value), value.len, k) == 0
	       && steer_cookie_valid(c->cfg, k, sip_at(c->m, id), id.len);
}

static bool read_flow(const struct steer_ctx *c, const struct sip_uri *u, struct steer_flow *f)
{
	return u->user.len == STEER_FLOW_LEN
	       && steer_flow_read(sip_at(c->m, u->user), u->user.len, f) == 0
	       && steer_flow_valid(c->cfg, f);
}

static bool same_crossing(const struct steer_cookie *a, const struct steer_cookie *b)
{
	return a->pair == b->pair && a->member == b->member && a->direction == b->direction;
}

/* Believe a cookie whose pair is one of this request's: the sender's own, or one of the service
 * that a client called. */
static void take_cookie(struct steer_ctx *c, const struct steer_cookie *k)
{
	struct steer_routes *r = &c->routes;
	const struct dp_pair *pair = dp_cfg_pair_by_key(c->cfg, k->pair);

	if (!pair || (!c->source && !dp_pair_serves(pair, c->in->listener->service)))
		return;
	if (r->n_crossings > 0 && same_crossing(&r->cookie, k))
		return; /* the second value of one crossing */
	if (r->n_crossings++ == 0)
		r->first_outward = k->direction == STEER_OUTWARD;
	r->outward |= k->direction == STEER_OUTWARD;
	r->cookie = *k;
	r->pair = pair;
	r->member = dp_pair_member_by_key(pair, k->member);
	r->has_flow = false;
}

static void take_own(struct steer_ctx *c, const struct sip_uri *u)
{
	struct steer_cookie k;

	if (read_cookie(c, u, &k))
		take_cookie(c, &k);
	if (read_flow(c, u, &c->routes.flow))
		c->routes.has_flow = true;
}

/* Whether the Request-URI has the form of a value that we put into Record-Route or Path: a cookie
 * or a flow token, whatever they say. */
static bool uri_has_our_form(const struct steer_ctx *c)
{
	struct sip_span value, user = c->uri.user;
	struct steer_cookie k;
	struct steer_flow f;

	if (c->uri.params.len && sip_param_find(c->m->buf, c->uri.params, "ss", &value)
	    && steer_cookie_read(sip_at(c->m, value), value.len, &k) == 0)
		return true;
	return user.len == STEER_FLOW_LEN && steer_flow_read(sip_at(c->m, user), user.len, &f) == 0;
}

/* RFC 3261 16.4: the Request-URI is a value that we put into Record-Route (or Path). Its form is
 * enough: whoever writes it only has his own last Route value taken for the Request-URI. Few have
 * it, so that whose address it names is asked last. */
static bool uri_is_our_route(const struct steer_ctx *c)
{
	return sip_msg_has(c->m, SIP_HDR_ROUTE) && uri_has_our_form(c) && steer_own_uri(c, &c->uri);
}

/* 16.4: the last Route value becomes the Request-URI. */
static int take_strict(struct steer_ctx *c)
{
	struct steer_routes *r = &c->routes;
	struct sip_addr_iter it;
	struct sip_addr addr;
	int n;

	take_own(c, &c->uri);
	sip_addr_iter_init(&it, c->m, SIP_HDR_ROUTE);
	while ((n = sip_addr_iter_next(&it, &addr)) > 0) {
		r->last = addr;
		r->last_hdr = it.hdr;
	}
	if (n < 0 || !r->last_hdr || sip_msg_uri(c->m, r->last.uri, &c->uri) < 0)
		return -EINVAL;
	r->strict = true;
	return 0;
}

/* 16.4: a maddr that names the address and port that the request came to. */
static void check_maddr(struct steer_ctx *c)
{
	struct sip_uri by_maddr = c->uri;
	struct sip_span maddr;

	if (!sip_param_find(c->m->buf, c->uri.params, "maddr", &maddr))
		return;
	by_maddr.host = maddr;
	if (steer_own_uri(c, &by_maddr) != c->in->listener)
		return;
	c->strip_maddr = true;
	c->uri.port = 0;
}

/* Whether a value on top is to be popped: it names a listener of ours. A client's request leaves
 * values of another service alone: the server before it in the route set is to see them. */
static bool is_own_value(struct steer_ctx *c, const struct sip_uri *u)
{
	const struct dp_listener *l = steer_own_uri(c, u);

	if (!l)
		return false;
	if (c->source || (l->flags & DP_LISTENER_EGRESS) || l->service == c->in->listener->service)
		return true;
	c->routes.next_own = true;
	return false;
}

#define VALUE_HEAD   "<sip:"
#define VALUE_COOKIE ";lr;ss="

/**
 * Take a line that is one value of ours, to the byte as we write it for the listener that the
 * request came to: what the whole way below makes of it, in fewer steps.
 * @return false: it is not.
 */
static bool take_as_written(struct steer_ctx *c, const struct sip_hdr *h)
{
	struct dp_text at = c->in->listener->hostport;
	uint32_t len =
		sizeof(VALUE_HEAD) - 1 + at.len + sizeof(VALUE_COOKIE) - 1 + STEER_COOKIE_LEN + 1;
	bool has_flow = h->value_len == len + STEER_FLOW_LEN + 1;
	const uint8_t *p = c->m->buf + h->value_off;
	struct sip_span id = c->m->call_id;
	struct steer_cookie k;
	struct steer_flow f;

	if ((h->value_len != len && !has_flow) || p[h->value_len - 1] != '>'
	    || memcmp(p, VALUE_HEAD, sizeof(VALUE_HEAD) - 1) != 0)
		return false;
	p += sizeof(VALUE_HEAD) - 1;
	if (has_flow) {
		if (p[STEER_FLOW_LEN] != '@' || steer_flow_read(p, STEER_FLOW_LEN, &f) < 0)
			return false;
		p += STEER_FLOW_LEN + 1;
	}
	if (!steer_same_text(p, dp_cfg_text(c->cfg, at), at.len)
	    || memcmp(p + at.len, VALUE_COOKIE, sizeof(VALUE_COOKIE) - 1) != 0
	    || steer_cookie_read(p + at.len + sizeof(VALUE_COOKIE) - 1, STEER_COOKIE_LEN, &k) < 0)
		return false;
	if (steer_cookie_valid(c->cfg, &k, sip_at(c->m, id), id.len))
		take_cookie(c, &k);
	if (has_flow && steer_flow_valid(c->cfg, &f)) {
		c->routes.flow = f;
		c->routes.has_flow = true;
	}
	return true;
}

static int scan_values(struct steer_ctx *c)
{
	const struct sip_hdr *h = sip_msg_hdr(c->m, SIP_HDR_ROUTE);
	struct steer_routes *r = &c->routes;
	struct sip_addr_iter it;
	struct sip_addr addr;
	struct sip_uri u;
	int n;

	for (; h && !r->strict && take_as_written(c, h); h = sip_msg_hdr_next(c->m, h)) {
		r->n_own++;
		r->n_lines++;
	}
	if (!h)
		return 0;
	sip_addr_iter_init(&it, c->m, SIP_HDR_ROUTE);
	it.hdr = h;
	it.off = h->value_off;
	while ((n = sip_addr_iter_next(&it, &addr)) > 0) {
		if (r->strict && addr.whole.off == r->last.whole.off)
			return 0;
		if (sip_msg_uri(c->m, addr.uri, &u) < 0)
			return -EINVAL;
		if (!is_own_value(c, &u)) {
			r->has_next = true;
			r->next = u;
			r->next_lr = sip_param_find(c->m->buf, u.params, "lr", NULL);
			return 0;
		}
		take_own(c, &u);
		r->n_own++;
	}
	return n;
}

int steer_routes_scan(struct steer_ctx *c)
{
	if (uri_is_our_route(c) && take_strict(c) < 0)
		return -EINVAL;
	if (sip_msg_has(c->m, SIP_HDR_ROUTE) && scan_values(c) < 0)
		return -EINVAL;
	if (c->uri.params.len)
		check_maddr(c);
	return 0;
}

/**
 * All crossings of one request are travelled the same way round: as the dialog-forming request did,
 * or against it; the sender and the first cookie tell. On the way of an inward one lie the
 * members, against it the clients; of an outward one the other way round.
 */
bool steer_routes_end_at_client(const struct steer_ctx *c)
{
	const struct steer_routes *r = &c->routes;
	bool forth = r->first_outward == (c->source != NULL);

	if (r->n_crossings == 0)
		return c->source != NULL;
	return forth == (r->cookie.direction == STEER_OUTWARD);
}

/* ---- Edits ---- */

/* What 16.4 strips from a Request-URI with our maddr: at most three spans, in order. */
static unsigned int maddr_cuts(const struct steer_ctx *c, struct sip_span cut[3])
{
	struct sip_uri u;
	struct sip_span v;
	unsigned int n = 0;
	uint32_t host_end;

	if (!c->strip_maddr || sip_msg_uri(c->m, c->uri.whole, &u) < 0)
		return 0;
	host_end = (uint32_t)u.host.off + u.host.len;
	if (u.port != 0 && u.port != STEER_SIP_PORT)
		cut[n++] = (struct sip_span){ (uint16_t)host_end,
					      (uint16_t)(u.params.off - host_end) };
	if (sip_param_find(c->m->buf, u.params, "maddr", &v))
		cut[n++] = (struct sip_span){ (uint16_t)(v.off - 7), (uint16_t)(v.len + 7) };
	if (sip_param_find(c->m->buf, u.params, "transport", &v))
		cut[n++] = (struct sip_span){ (uint16_t)(v.off - 11), (uint16_t)(v.len + 11) };
	if (n > 1 && cut[n - 1].off < cut[n - 2].off) {
		v = cut[n - 1];
		cut[n - 1] = cut[n - 2];
		cut[n - 2] = v;
	}
	return n;
}

/* The Request-URI in force, as text: *text and its length. */
static int uri_text(struct steer_ctx *c, const char **text, uint16_t *len)
{
	struct sip_span cut[3], whole = c->uri.whole;
	unsigned int n = maddr_cuts(c, cut);
	uint32_t from = whole.off;
	char *out, *p;

	*text = (const char *)sip_at(c->m, whole);
	*len = whole.len;
	if (n == 0)
		return 0;
	out = p = steer_text(c->v, whole.len);
	if (!out)
		return -ENOSPC;
	for (unsigned int i = 0; i < n; i++) {
		p = steer_put(p, c->m->buf + from, cut[i].off - from);
		from = (uint32_t)cut[i].off + cut[i].len;
	}
	p = steer_put(p, c->m->buf + from, (uint32_t)whole.off + whole.len - from);
	*text = out;
	*len = (uint16_t)(p - out);
	return 0;
}

/* 16.6 item 6: the next hop is a strict router: its URI goes to the start line, and the
 * Request-URI becomes the last Route value. */
static int edit_strict_next(struct steer_ctx *c)
{
	static const char head[] = "Route: <";
	const struct sip_hdr *h = sip_msg_hdr(c->m, SIP_HDR_ROUTE), *n;
	struct sip_edits *es = &c->v->edits;
	struct steer_routes *r = &c->routes;
	const char *uri;
	char *line, *p;
	uint16_t len;
	int e;

	while ((n = sip_msg_hdr_next(c->m, h)))
		h = n;
	e = sip_edit_pop_route(es, c->m, r->n_own + 1);
	if (e == 0)
		e = sip_edit_replace(es, c->m->uri, sip_at(c->m, r->next.whole), r->next.whole.len);
	if (e < 0 || r->strict) /* the last value stays where it is */
		return e;
	e = uri_text(c, &uri, &len);
	if (e < 0)
		return e;
	line = p = steer_text(c->v, sizeof(head) - 1 + len + 3);
	if (!line)
		return -ENOSPC;
	p = steer_put(p, head, sizeof(head) - 1);
	p = steer_put(p, uri, len);
	p = steer_put(p, ">\r\n", 3);
	return sip_edits_add(es, sip_hdr_end(c->m, h), 0, line, (uint16_t)(p - line));
}

/* Our own values, each alone on its line: these lines go. There is one at least. */
static int pop_lines(struct steer_ctx *c, unsigned int n)
{
	const struct sip_hdr *h = sip_msg_hdr(c->m, SIP_HDR_ROUTE);
	int e;

	for (;; h = sip_msg_hdr_next(c->m, h)) {
		e = steer_edit(&c->v->edits, sip_hdr_start(h),
			       (uint16_t)(sip_hdr_end(c->m, h) - sip_hdr_start(h)), NULL, 0);
		if (e < 0 || --n == 0)
			return e;
	}
}

/* What a strict router, before us or behind us, or a maddr of ours makes necessary, and values that
 * share a line. */
static __attribute__((noinline)) int edit_any(struct steer_ctx *c)
{
	struct sip_edits *es = &c->v->edits;
	struct steer_routes *r = &c->routes;
	unsigned int pop = r->n_own;
	const char *uri;
	uint16_t len;
	int e = 0;

	if (r->has_next && !r->next_lr)
		return edit_strict_next(c);
	if (r->strict && !r->has_next)
		pop++; /* the last value is the only one left: all go */
	if (pop > 0)
		e = sip_edit_pop_route(es, c->m, pop);
	if (e == 0 && r->strict && r->has_next)
		e = sip_edit_remove_addr(es, c->m, r->last_hdr, &r->last);
	if (e < 0 || (!r->strict && !c->strip_maddr))
		return e;
	e = uri_text(c, &uri, &len);
	return e < 0 ? e : sip_edit_replace(es, c->m->uri, uri, len);
}

int steer_routes_edit(struct steer_ctx *c)
{
	const struct steer_routes *r = &c->routes;

	if (__builtin_expect((r->n_own - r->n_lines) | r->strict | (r->has_next & !r->next_lr)
				     | c->strip_maddr,
			     0))
		return edit_any(c);
	return r->n_lines ? pop_lines(c, r->n_lines) : 0;
}
