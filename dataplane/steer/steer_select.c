/*
 * Which pair a request outside a dialog belongs to: a key by the service's `select`, hashed into
 * its Maglev table; the same on every instance. And which requests are emergency calls.
 *
 * The keys, byte for byte:
 *   aor               user '@' host of the To URI of a REGISTER, of the From URI of anything else.
 *                     The user with %-escapes decoded and its case kept, without password; the host
 *                     in lower case; no scheme, port, parameters or headers. A tel URI: its number
 *                     without visual separators (RFC 3966 5.1.1) and parameters. Another scheme, or
 *                     a URI that is malformed: its bytes.
 *   call-id           the Call-ID inside Replaces (RFC 3891), else inside Join (RFC 3911), else the
 *                     request's own.
 *   request-uri-user  the Request-URI's user, decoded as above; where it has none, the To URI's
 *                     (a REGISTER's Request-URI names the domain, RFC 3261 10.2).
 *   source-address    the source IP address, 16 bytes, IPv4 mapped.
 */
#include <string.h>

#include "dataplane/steer/steer_internal.h"
#include "dataplane/steer/steer_maglev.h"
#include "dataplane/steer/steer_plain.h"

#define KEY_SIZE 512 /* bytes of a key; what is longer is cut */

_Static_assert(KEY_SIZE >= STEER_PLAIN_MAX, "what is hashed where it stands is not cut");

struct key {
	uint8_t b[KEY_SIZE];
	uint32_t len;
};

static inline void key_put(struct key *k, uint8_t byte)
{
	if (k->len < KEY_SIZE)
		k->b[k->len++] = byte;
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3261 19.1.4: an escape and what it stands for are the same. */
static void key_put_user(struct key *k, const uint8_t *buf, struct sip_span s)
{
	const uint8_t *p = buf + s.off, *end = p + s.len;

	while (p < end) {
		if (*p == '%' && end - p >= 3 && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			key_put(k, (uint8_t)(hex(p[1]) * 16 + hex(p[2])));
			p += 3;
		} else {
			key_put(k, *p++);
		}
	}
}

static void key_put_number(struct key *k, const uint8_t *buf, struct sip_span s)
{
	for (const uint8_t *p = buf + s.off, *end = p + s.len; p < end; p++)
		if (*p != '-' && *p != '.' && *p != '(' && *p != ')')
			key_put(k, *p);
}

static void key_put_lower(struct key *k, const uint8_t *buf, struct sip_span s)
{
	for (const uint8_t *p = buf + s.off, *end = p + s.len; p < end; p++)
		key_put(k, *p >= 'A' && *p <= 'Z' ? (uint8_t)(*p | 0x20) : *p);
}

static void key_put_bytes(struct key *k, const uint8_t *buf, struct sip_span s)
{
	for (const uint8_t *p = buf + s.off, *end = p + s.len; p < end; p++)
		key_put(k, *p);
}

static struct sip_span aor_of(const struct sip_msg *m)
{
	return m->method == SIP_METHOD_REGISTER ? m->to_uri : m->from_uri;
}

static void key_aor(struct key *k, const struct sip_msg *m)
{
	struct sip_span s = aor_of(m);
	struct sip_uri u;

	if (sip_msg_uri(m, s, &u) < 0 || u.scheme == SIP_SCHEME_OTHER
	    || u.scheme == SIP_SCHEME_URN) {
		key_put_bytes(k, m->buf, s);
	} else if (u.scheme == SIP_SCHEME_TEL) {
		key_put_number(k, m->buf, u.user);
	} else {
		key_put_user(k, m->buf, u.user);
		key_put(k, '@');
		key_put_lower(k, m->buf, u.host);
	}
}

/* The callid at the start of a Replaces or Join value. */
static bool key_put_callid_of(struct key *k, const struct sip_msg *m, enum sip_hdr_id id)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);
	struct sip_span s;

	if (!h)
		return false;
	s = (struct sip_span){ h->value_off, 0 };
	while (s.len < h->value_len && m->buf[s.off + s.len] != ';' && m->buf[s.off + s.len] > ' ')
		s.len++;
	key_put_bytes(k, m->buf, s);
	return s.len > 0;
}

static void key_call_id(struct key *k, const struct sip_msg *m)
{
	if (!key_put_callid_of(k, m, SIP_HDR_REPLACES) && !key_put_callid_of(k, m, SIP_HDR_JOIN))
		key_put_bytes(k, m->buf, m->call_id);
}

static void key_put_uri_user(struct key *k, const struct sip_msg *m, const struct sip_uri *u)
{
	if (u->scheme == SIP_SCHEME_TEL)
		key_put_number(k, m->buf, u->user);
	else
		key_put_user(k, m->buf, u->user);
}

static void key_request_uri_user(struct key *k, const struct sip_msg *m, const struct sip_uri *u)
{
	struct sip_uri to;

	key_put_uri_user(k, m, u);
	if (k->len == 0 && sip_msg_uri(m, m->to_uri, &to) == 0)
		key_put_uri_user(k, m, &to);
}

static __attribute__((noinline)) uint64_t hash_key(const struct steer_ctx *c)
{
	struct key k;

	k.len = 0;
	switch ((enum dp_select)c->service->select) {
	case DP_SELECT_AOR: key_aor(&k, c->m); break;
	case DP_SELECT_CALL_ID: key_call_id(&k, c->m); break;
	case DP_SELECT_REQUEST_URI_USER: key_request_uri_user(&k, c->m, &c->uri); break;
	case DP_SELECT_SOURCE_ADDRESS: return steer_hash(&c->in->src.ip, sizeof(c->in->src.ip));
	}
	return steer_hash(k.b, k.len);
}

/* A plain address of record is its own key. */
static inline uint64_t select_hash(const struct steer_ctx *c)
{
	struct sip_span aor = aor_of(c->m);

	if (c->service->select == DP_SELECT_AOR && steer_plain_aor(c->m, aor))
		return steer_hash(sip_at(c->m, aor) + STEER_PLAIN_SCHEME,
				  aor.len - STEER_PLAIN_SCHEME);
	return hash_key(c);
}

static __attribute__((noinline)) const uint16_t *slot_of(const struct steer_ctx *c)
{
	const struct dp_service *s = c->service;

	return steer_maglev_slot(dp_cfg_at(c->cfg, s->maglev), s->maglev_size, select_hash(c));
}

static bool has_table(const struct dp_service *s)
{
	return s->n_pairs > 1 && s->maglev_size != 0;
}

void steer_select_early(struct steer_ctx *c)
{
	if (!has_table(c->service) || sip_msg_has(c->m, SIP_HDR_ROUTE))
		return;
	c->slot = slot_of(c);
	__builtin_prefetch(c->slot);
}

const struct dp_pair *steer_select_pair(const struct steer_ctx *c, uint32_t *number)
{
	const struct dp_service *s = c->service;
	const uint16_t *slot = c->slot;

	if (!slot) {
		if (s->n_pairs == 0 || s->maglev_size == 0)
			return NULL;
		slot = has_table(s) ? slot_of(c) : dp_cfg_at(c->cfg, s->pairs);
	}
	*number = *slot;
	return dp_cfg_pair(c->cfg, *slot);
}

/* ---- Emergency calls ---- */

/* urn:service:sos and its sub-services (RFC 5031 4.2). `user` of a urn is all after "urn:". */
static bool is_sos(const uint8_t *buf, struct sip_span user)
{
	static const char sos[] = "service:sos";
	struct sip_span head = { user.off, sizeof(sos) - 1 };

	return user.len >= head.len && sip_span_is_nocase(buf, head, sos)
	       && (user.len == head.len || buf[user.off + head.len] == '.');
}

static bool is_emergency_number(const struct dp_cfg *cfg, const struct dp_service *service,
				const struct sip_msg *m, const struct sip_uri *u)
{
	const struct dp_text *number = dp_cfg_at(cfg, service->emergency);
	struct key k;
	uint32_t len;

	if (service->n_emergency == 0 || u->user.len == 0)
		return false;
	k.len = 0;
	key_put_uri_user(&k, m, u);
	for (len = 0; len < k.len && k.b[len] != ';';)
		len++; /* a telephone-subscriber's parameters, RFC 3261 19.1.6 */
	for (uint32_t i = 0; i < service->n_emergency; i++)
		if (number[i].len == len && memcmp(dp_cfg_text(cfg, number[i]), k.b, len) == 0)
			return true;
	return false;
}

/* Namespaces whose calls come before others: emergency services (RFC 7135), and the public
 * networks' priority services (RFC 4412 10). */
static bool is_priority(const uint8_t *buf, struct sip_span s)
{
	static const char *const name[] = { "esnet", "ets", "wps" };
	struct sip_span ns = { s.off, 0 };

	while (ns.len < s.len && buf[s.off + ns.len] != '.')
		ns.len++;
	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]) && ns.len < s.len; i++)
		if (sip_span_is_nocase(buf, ns, name[i]))
			return true;
	return false;
}

static bool has_priority(const struct sip_msg *m)
{
	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_RESOURCE_PRIORITY); h;
	     h = sip_msg_hdr_next(m, h)) {
		uint32_t i = h->value_off, end = i + h->value_len;

		while (i < end) {
			struct sip_span s;

			while (i < end && (m->buf[i] <= ' ' || m->buf[i] == ','))
				i++;
			s = (struct sip_span){ (uint16_t)i, 0 };
			while (i < end && m->buf[i] > ' ' && m->buf[i] != ',')
				i++;
			s.len = (uint16_t)(i - s.off);
			if (is_priority(m->buf, s))
				return true;
		}
	}
	return false;
}

bool steer_is_emergency(const struct dp_cfg *cfg, const struct dp_service *service,
			const struct sip_msg *m)
{
	struct sip_uri u;

	if (!m->is_request)
		return false;
	if (sip_msg_uri(m, m->uri, &u) == 0
	    && ((u.scheme == SIP_SCHEME_URN && is_sos(m->buf, u.user))
		|| is_emergency_number(cfg, service, m, &u)))
		return true;
	return sip_msg_has(m, SIP_HDR_RESOURCE_PRIORITY) && has_priority(m);
}
