#include "dataplane/steer/steer_plain.h"

#include <string.h>

/* The port that fills [p, end) with its colon, or -1: it is none. */
static int32_t port_of(const uint8_t *p, const uint8_t *end)
{
	int32_t port = 0;

	if (end - p < 2 || end - p > 6 || *p != ':')
		return -1;
	while (++p < end) {
		if (*p < '0' || *p > '9')
			return -1;
		port = port * 10 + (*p - '0');
	}
	return port <= UINT16_MAX ? port : -1;
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

/* A Via being read: where plain words end, a bit for each byte, all of those behind it set. */
struct reader {
	const uint8_t *p;
	uint32_t len;
	uint32_t base; /* of p in the message */
	uint64_t ends[2];
};

static inline uint32_t word_end(const struct reader *r, uint32_t at)
{
	if (at < 64 && r->ends[0] >> at)
		return at + (uint32_t)__builtin_ctzll(r->ends[0] >> at);
	at = at < 64 ? 64 : at;
	return at + (uint32_t)__builtin_ctzll(r->ends[1] >> (at - 64));
}

static inline struct sip_span span_of(const struct reader *r, uint32_t from, uint32_t to)
{
	return (struct sip_span){ (uint16_t)(r->base + from), (uint16_t)(to - from) };
}

/* "SIP/2.0/UDP host"; returns where it ends, or 0. */
static uint32_t read_host(struct reader *r, struct sip_via *via)
{
	uint32_t half = r->len < 64 ? r->len : 64, stop;
	struct steer_plain_ends e = STEER_PLAIN_ENDS(r->p, half, STEER_PLAIN_HOST);

	r->ends[0] = half < 64 ? e.user | ~0ull << half : e.user;
	r->ends[1] = ~0ull;
	if (r->len > 64)
		r->ends[1] =
			STEER_PLAIN_ENDS(r->p + 64, r->len - 64, 0).user | ~0ull << (r->len - 64);
	stop = word_end(r, VIA_HEAD_LEN);
	if (stop == VIA_HEAD_LEN || stop >= 64
	    || (e.host & ~e.user & ~(~0ull << stop)) >> VIA_HEAD_LEN)
		return 0;
	via->host = span_of(r, VIA_HEAD_LEN, stop);
	return stop;
}

/* The parameter whose ';' stands at `at`; returns where it ends, or 0. */
static uint32_t read_param(const struct reader *r, uint32_t at, struct sip_via *via)
{
	uint32_t name = at + 1, name_end = word_end(r, name), value = name_end, stop = name_end;
	const uint8_t *p = r->p + name;

	if (stop < r->len && r->p[stop] == '=') {
		value = stop + 1;
		stop = word_end(r, value);
		if (stop == value)
			return 0;
	}
	switch (name_end - name) {
	case 5:
		if (memcmp(p, "rport", 5) != 0 || via->has_rport)
			return 0;
		via->has_rport = true;
		via->rport = span_of(r, value, stop);
		via->rport_param = span_of(r, at, stop);
		return stop;
	case 6:
		if (memcmp(p, "branch", 6) != 0 || via->branch.len || stop == value)
			return 0;
		via->branch = span_of(r, value, stop);
		return stop;
	case 8:
		if (memcmp(p, "received", 8) != 0 || via->has_received || stop == value)
			return 0;
		via->has_received = true;
		via->received = span_of(r, value, stop);
		via->received_param = span_of(r, at, stop);
		return stop;
	default: return 0;
	}
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
		stop = word_end(&r, at + 1);
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
