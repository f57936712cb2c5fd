#include "dataplane/steer/steer_plain.h"

#include <string.h>

/* The port that fills [p, end) with its colon, or -1: it is none. Eight bytes behind p can be read.
 */
static inline int32_t port_of(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 2 || end - p > 6 || *p != ':')
		return -1;
	return steer_plain_port(p + 1, (uint32_t)(end - p) - 1);
}

bool steer_plain_uri(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri)
{
	const uint8_t *p = sip_at(m, s);
	uint32_t off = s.off + 4u, len = s.len - 4u;
	struct steer_plain parts;
	int32_t port = 0;

	if (s.len <= 4 || memcmp(p, "sip:", 4) != 0 || off + len + STEER_PLAIN_STEP > m->len
	    || !steer_plain_read(p + 4, len, STEER_PLAIN_HOST, &parts))
		return false;
	if (parts.stop < len)
		port = port_of(p + 4 + parts.stop, p + s.len);
	if (port < 0)
		return false;
	*uri = (struct sip_uri){
		.scheme = SIP_SCHEME_SIP,
		.whole = s,
		.host = { (uint16_t)(off + parts.host), (uint16_t)(parts.stop - parts.host) },
		.port = (uint16_t)port,
	};
	if (parts.host) {
		uri->has_user = true;
		uri->user = (struct sip_span){ (uint16_t)off, (uint16_t)parts.at };
	}
	return true;
}

/* ---- Via ---- */

#define VIA_HEAD     "SIP/2.0/UDP "
#define VIA_HEAD_LEN (sizeof(VIA_HEAD) - 1)
#define VIA_MAX      (2 * STEER_PLAIN_MAX - 1)

_Static_assert(STEER_PLAIN_STEP >= 8, "eight bytes can be read at any place of a Via");

/* A Via being read: where its plain words end, a bit for each byte, all of those behind it set.
 * Each end is taken once, in order: what stands between two is a word, or nothing. */
struct reader {
	const uint8_t *p;
	uint32_t len;
	uint32_t base;  /* of p in the message */
	uint32_t first; /* the place of ends' lowest bit */
	uint64_t ends, more;
};

static inline uint32_t next_end(struct reader *r)
{
	uint64_t ends = r->ends;

	if (ends == 0) {
		ends = r->more;
		r->first = 64;
	}
	r->ends = ends & (ends - 1);
	return r->first + (uint32_t)__builtin_ctzll(ends);
}

static inline struct sip_span span_of(const struct reader *r, uint32_t from, uint32_t to)
{
	return (struct sip_span){ (uint16_t)(r->base + from), (uint16_t)(to - from) };
}

static inline uint64_t text_at(const struct reader *r, uint32_t at)
{
	uint64_t v;

	memcpy(&v, r->p + at, sizeof(v));
	return v;
}

/* Up to eight characters as text_at() reads them. */
static inline uint64_t text_of(const char *name)
{
	uint64_t v = 0;

	memcpy(&v, name, strlen(name));
	return v;
}

/* "SIP/2.0/UDP host"; returns where it ends, or 0. */
static inline uint32_t read_host(struct reader *r, struct sip_via *via)
{
	uint32_t half = r->len < 64 ? r->len : 64, stop;
	struct steer_plain_ends e = STEER_PLAIN_ENDS(r->p, half, STEER_PLAIN_HOST);
	const uint64_t behind = ~0ull << VIA_HEAD_LEN;

	r->ends = half < 64 ? e.user | ~0ull << half : e.user;
	r->more = ~0ull;
	if (r->len > 64)
		r->more = STEER_PLAIN_ENDS(r->p + 64, r->len - 64, 0).user | ~0ull << (r->len - 64);
	r->first = 0;
	r->ends &= behind;
	if (r->ends == 0)
		return 0;
	stop = next_end(r);
	if (stop == VIA_HEAD_LEN || e.host & behind & ~(~0ull << stop))
		return 0;
	via->host = span_of(r, VIA_HEAD_LEN, stop);
	return stop;
}

/* The value behind the '=' at `at`; returns where it ends, or 0: there is none. */
static inline uint32_t read_value(struct reader *r, uint32_t at, struct sip_span *value)
{
	uint32_t stop;

	if (at >= r->len || r->p[at] != '=')
		return 0;
	stop = next_end(r);
	*value = span_of(r, at + 1, stop);
	return value->len ? stop : 0;
}

/* rport, with or without a value; its name ends at `end`. */
static inline uint32_t read_rport(struct reader *r, uint32_t at, uint32_t end, struct sip_via *via)
{
	uint32_t stop = end;

	if (via->has_rport)
		return 0;
	via->rport = span_of(r, end, end);
	if (end < r->len && r->p[end] == '=') {
		stop = read_value(r, end, &via->rport);
		if (stop == 0)
			return 0;
	}
	via->has_rport = true;
	via->rport_param = span_of(r, at, stop);
	return stop;
}

/* The parameter whose ';' stands at `at`; returns where it ends, or 0. */
static inline uint32_t read_param(struct reader *r, uint32_t at, struct sip_via *via)
{
	uint32_t end = next_end(r), stop;
	uint64_t name = text_at(r, at);

	if (end == at + 7 && (name << 8) == (text_of(";branch") << 8)) {
		stop = via->branch.len ? 0 : read_value(r, end, &via->branch);
	} else if (end == at + 6 && (name << 16) == (text_of(";rport") << 16)) {
		stop = read_rport(r, at, end, via);
	} else if (end == at + 9 && name == text_of(";receive") && r->p[at + 8] == 'd'
		   && !via->has_received) {
		stop = read_value(r, end, &via->received);
		via->has_received = true;
		via->received_param = span_of(r, at, stop);
	} else {
		stop = 0;
	}
	return stop;
}

bool steer_plain_via(const struct sip_msg *m, const struct sip_hdr *h, struct sip_via *via)
{
	struct reader r = { .p = m->buf + h->value_off, .len = h->value_len, .base = h->value_off };
	uint32_t at, stop;
	int32_t port;

	if (r.len <= VIA_HEAD_LEN || r.len > VIA_MAX || r.base + r.len + STEER_PLAIN_STEP > m->len
	    || memcmp(r.p, VIA_HEAD, VIA_HEAD_LEN) != 0)
		return false;
	*via = (struct sip_via){ .value = span_of(&r, 0, r.len), .transport = span_of(&r, 8, 11) };
	at = read_host(&r, via);
	if (at == 0)
		return false;
	if (at < r.len && r.p[at] == ':') {
		stop = next_end(&r);
		port = port_of(r.p + at, r.p + stop);
		if (port < 0)
			return false;
		via->port = (uint16_t)port;
		at = stop;
	}
	if (at < r.len)
		via->params = span_of(&r, at, r.len);
	while (at < r.len) {
		at = r.p[at] == ';' ? read_param(&r, at, via) : 0;
		if (at == 0)
			return false;
	}
	return true;
}
