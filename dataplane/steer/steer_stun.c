/*
 * STUN binding requests on a SIP port: keep-alives of phones behind NATs (RFC 5626 3.5.2, 4.4.2).
 * Answered without authentication by RFC 5389 7.3 and 12.2 (clients of RFC 3489). Everything else
 * that looks like STUN is dropped: indications in silence, the rest as malformed.
 */
#include "dataplane/steer/steer_internal.h"

#include <string.h>

#define HEADER_LEN      20
#define MAGIC           0x2112a442u
#define MAGIC_LEN       4
#define FINGERPRINT_XOR 0x5354554eu /* RFC 5389 15.5 */

enum stun_type {
	STUN_BINDING_REQUEST = 0x0001,
	STUN_BINDING_INDICATION = 0x0011,
	STUN_BINDING_SUCCESS = 0x0101,
	STUN_BINDING_ERROR = 0x0111,
};

enum stun_attribute {
	STUN_MAPPED_ADDRESS = 0x0001,
	STUN_USERNAME = 0x0006,
	STUN_MESSAGE_INTEGRITY = 0x0008,
	STUN_ERROR_CODE = 0x0009,
	STUN_UNKNOWN_ATTRIBUTES = 0x000a,
	STUN_REALM = 0x0014,
	STUN_NONCE = 0x0015,
	STUN_XOR_MAPPED_ADDRESS = 0x0020,
	STUN_OPTIONAL = 0x8000, /* from here on an attribute may be ignored (RFC 5389 15) */
	STUN_FINGERPRINT = 0x8028,
};

#define UNKNOWN_MAX 8 /* attributes that an error response lists */

struct stun {
	bool magic; /* RFC 5389 or later */
	bool fingerprint;
	unsigned int n_unknown;
	uint16_t unknown[UNKNOWN_MAX];
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, (uint16_t)(v >> 16)), (uint16_t)v);
}

/* CRC-32 of ISO 3309 (RFC 5389 15.5), four bits at a time. */
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
		crc = crc >> 4 ^ table[(crc ^ (uint32_t)(p[i] >> 4)) & 15];
	}
	return ~crc;
}

/* RFC 5389 6: two zero bits first, a length that is a multiple of four and fits; no SIP message
 * begins so. */
bool steer_is_stun(const uint8_t *p, uint32_t len)
{
	return len >= HEADER_LEN && p[0] < 4 && get16(p + 2) % 4 == 0
	       && get16(p + 2) == len - HEADER_LEN;
}

static bool known(uint16_t type)
{
	switch (type) {
	case STUN_MAPPED_ADDRESS:
	case STUN_USERNAME:
	case STUN_MESSAGE_INTEGRITY:
	case STUN_ERROR_CODE:
	case STUN_UNKNOWN_ATTRIBUTES:
	case STUN_REALM:
	case STUN_NONCE:
	case STUN_XOR_MAPPED_ADDRESS: return true;
	default: return type >= STUN_OPTIONAL;
	}
}

/* Reads the attributes; false: malformed, or a fingerprint that is wrong or not the last one. */
static bool read_attributes(struct stun *st, const uint8_t *p, uint32_t len)
{
	uint32_t i = HEADER_LEN;

	while (i < len) {
		uint32_t type = get16(p + i), size = get16(p + i + 2);
		uint32_t next = i + 4 + ((size + 3) & ~3u);

		if (next > len)
			return false;
		if (type == STUN_FINGERPRINT) {
			st->fingerprint = true;
			return size == 4 && next == len
			       && get32(p + i + 4) == (crc32_of(p, i) ^ FINGERPRINT_XOR);
		}
		if (!known((uint16_t)type) && st->n_unknown < UNKNOWN_MAX)
			st->unknown[st->n_unknown++] = (uint16_t)type;
		i = next;
	}
	return true;
}

/* RFC 5389 15.2: XORed with magic cookie and transaction id; plain for RFC 3489. */
static uint8_t *put_mapped(uint8_t *p, const struct steer_ctx *c, const struct stun *st)
{
	const uint8_t *mask = c->in->buf + MAGIC_LEN; /* cookie, then transaction id */
	bool v4 = dp_ip_is_v4(&c->in->src.ip);
	const uint8_t *ip = c->in->src.ip.b + (v4 ? 12 : 0);
	unsigned int size = v4 ? 4 : 16;
	uint16_t port = c->in->src.port;

	p = put16(p, st->magic ? STUN_XOR_MAPPED_ADDRESS : STUN_MAPPED_ADDRESS);
	p = put16(p, (uint16_t)(4 + size));
	p = put16(p, v4 ? 1 : 2);
	p = put16(p, st->magic ? (uint16_t)(port ^ MAGIC >> 16) : port);
	for (unsigned int i = 0; i < size; i++)
		*p++ = st->magic ? ip[i] ^ mask[i] : ip[i];
	return p;
}

/* RFC 5389 7.3.1, 15.6, 15.9. */
static uint8_t *put_unknown(uint8_t *p, const struct stun *st)
{
	static const char phrase[] = "Unknown Attribute"; /* padded to 20 below */
	unsigned int i;

	p = put16(p, STUN_ERROR_CODE);
	p = put16(p, 4 + sizeof(phrase) - 1);
	p = put32(p, 4 << 8 | 20);
	memset(p, 0, 20);
	memcpy(p, phrase, sizeof(phrase) - 1);
	p += 20;
	p = put16(p, STUN_UNKNOWN_ATTRIBUTES);
	p = put16(p, (uint16_t)(2 * st->n_unknown));
	for (i = 0; i < st->n_unknown; i++)
		p = put16(p, st->unknown[i]);
	return i % 2 ? put16(p, 0) : p;
}

static void build(struct steer_ctx *c, const struct stun *st)
{
	uint8_t *out = c->v->answer, *p = out + HEADER_LEN;
	uint16_t len;

	memcpy(out, c->in->buf, HEADER_LEN);
	put16(out, st->n_unknown ? STUN_BINDING_ERROR : STUN_BINDING_SUCCESS);
	p = st->n_unknown ? put_unknown(p, st) : put_mapped(p, c, st);
	len = (uint16_t)(p - out - HEADER_LEN);
	if (st->fingerprint) {
		put16(out + 2, (uint16_t)(len + 8));
		p = put16(put16(p, STUN_FINGERPRINT), 4);
		p = put32(p, crc32_of(out, HEADER_LEN + len) ^ FINGERPRINT_XOR);
	} else {
		put16(out + 2, len);
	}
	c->v->answer_len = (uint16_t)(p - out);
}

void steer_stun(struct steer_ctx *c)
{
	const uint8_t *p = c->in->buf;
	struct stun st = { .magic = get32(p + 4) == MAGIC };

	if (get16(p) == STUN_BINDING_INDICATION && st.magic) {
		steer_drop(c, DP_REASON_KEEPALIVE, "STUN binding indication");
		return;
	}
	if (get16(p) != STUN_BINDING_REQUEST || !read_attributes(&st, p, c->in->len)) {
		steer_drop(c, DP_REASON_STUN_MALFORMED, "no STUN binding request");
		return;
	}
	if (!steer_source_answerable(c)) {
		steer_drop(c, DP_REASON_ANSWER_FORBIDDEN, "STUN");
		return;
	}
	if (!steer_limits_take(c->s->limits, &c->in->src.ip, c->service->answers_per_s,
			       c->s->now_us)) {
		steer_drop(c, DP_REASON_ANSWER_LIMITED, "STUN");
		return;
	}
	build(c, &st);
	c->v->action = STEER_ANSWER;
	c->v->reason = DP_REASON_N;
	c->v->from = c->in->listener;
	c->v->to = c->in->src;
	c->v->why = "STUN binding request";
	c->s->p.counters->answered++;
}
