/*
 * The commonest forms of the start line and of the fields that steering needs decoded, by one
 * variant of the scan: sip_pass.h includes it.
 *
 * Each looks at 64 bytes at a time, takes what it needs from the bits that come of them, and calls
 * nothing. What is longer or otherwise is left to sip_pass.h, which says the same, only later.
 */
#pragma once

#include "sip/sip_pass_lines.h"

#define QUICK_MAX 512 /* bytes of a value that are looked at here */

/* A walk over bytes of one kind: where words end, or URIs break. */
struct quick {
	const struct sip_msg *m;
	uint64_t (*look)(const uint8_t *p); /* known where this is used, and so no call */
	uint32_t start;
	uint32_t base;
	uint64_t bits; /* of the 64 bytes at base, those not taken yet */
};

/* Look at the 64 bytes at i; false when the message has fewer. */
static inline bool quick_look(struct quick *q, uint32_t i)
{
	if (unlikely(i + SIP_BLOCK > q->m->len || i - q->start > QUICK_MAX))
		return false;
	q->base = i;
	q->bits = q->look(q->m->buf + i);
	return true;
}

/* Take the next place; false when it is too far. */
static inline bool quick_next(struct quick *q, uint32_t *i)
{
	while (unlikely(q->bits == 0))
		if (!quick_look(q, q->base + SIP_BLOCK))
			return false;
	*i = q->base + (uint32_t)__builtin_ctzll(q->bits);
	q->bits &= q->bits - 1;
	return true;
}

/* Take the next place of a byte that is not of the class. */
static inline bool quick_over(struct quick *q, unsigned int class, uint32_t *i)
{
	do
		if (unlikely(!quick_next(q, i)))
			return false;
	while (sip_is(q->m->buf[*i], class));
	return true;
}

/* Whether four bytes are these letters in any case, and other characters as they are: a letter's
 * case is one bit, which no other byte of a name or a URI becomes a letter by. */
static inline bool letters4(const uint8_t *p, const char *lower)
{
	return (sip_load32(p) | UINT32_C(0x20202020)) == sip_load32(lower);
}

/* Decimal digits that fill [i, end), one to four, four bytes into the message or later; false when
 * it is otherwise. They are added up as two pairs, then as one. */
static inline bool quick_number(const uint8_t *b, uint32_t i, uint32_t end, uint32_t *value)
{
	uint32_t v, before = (i - end) * 8 & 31; /* bits of what is no digit */

	if (unlikely(end - i - 1 >= 4))
		return false;
	v = (sip_load32(b + end - 4) ^ UINT32_C(0x30303030)) >> before << before;
	if (unlikely((v | (v + UINT32_C(0x76767676))) & UINT32_C(0x80808080)))
		return false;
	v = (v * 10 + (v >> 8)) & UINT32_C(0x00ff00ff);
	*value = (v * 100 + (v >> 16)) & 0x3fff;
	return true;
}

/* The method of up to eight bytes that ends at end, eight bytes into the message or later. */
static inline const struct sip_method_entry *quick_method(uint64_t text, uint32_t len)
{
	const struct sip_method_entry *e = sip_method_place(text);

	return e->first == text && e->len == len ? e : NULL;
}

/* "METHOD URI SP SIP/2.0 CR LF" at i, the method known. RFC 3261 7.1. */
static inline bool quick_request(struct sip_msg *m, uint32_t i)
{
	const uint8_t *b = m->buf;
	struct quick q = { .m = m, .look = breaks64, .start = i };
	const struct sip_method_entry *method;
	uint32_t sp, uri_end, len;

	if (unlikely(!quick_look(&q, i) || !quick_next(&q, &sp)
		     || !quick_over(&q, SIP_C_URI, &uri_end)))
		return false;
	len = sp - i;
	if (unlikely(len - 1 >= 8 || uri_end > m->len - 10 || b[sp] != ' '
		     || sip_load64(b + uri_end) != sip_load64(" SIP/2.0") || b[uri_end + 8] != '\r'
		     || b[uri_end + 9] != '\n' || !sip_is(b[sp + 1], SIP_C_ALPHA)))
		return false;
	method = quick_method(sip_load64(b + i) << (64 - 8 * len) >> (64 - 8 * len), len);
	if (unlikely(!method))
		return false;
	m->is_request = true;
	m->method_name = sip_span_of(i, sp);
	m->method = method->id;
	m->uri = sip_span_of(sp + 1, uri_end);
	m->hdrs_off = (uint16_t)(uri_end + 10);
	return true;
}

/* ";name" or ";name=value" without white space or quotes. */
struct plain_param {
	uint32_t name;
	uint32_t name_end;
	uint32_t value; /* name_end when there is none */
	uint32_t end;
};

static inline struct sip_span value_of(const struct plain_param *p)
{
	return sip_span_of(p->value, p->end);
}

/* Keep a parameter of a Via; false when it is the second of its name, or might be one that is
 * written otherwise. */
static inline bool keep_via_param(struct sip_via *via, const uint8_t *b,
				  const struct plain_param *p)
{
	const uint8_t *name = b + p->name;

	switch (p->name_end - p->name) {
	case 6:
		if (!letters4(name, "bran") || !letters4(name + 2, "anch"))
			return true;
		if (via->branch.off)
			return false;
		via->branch = value_of(p);
		return true;
	case 5:
		if (!letters4(name, "rpor") || !letters4(name + 1, "port"))
			return !letters4(name, "madd");
		if (via->has_rport)
			return false;
		via->has_rport = true;
		via->rport = value_of(p);
		via->rport_param = sip_span_of(p->name - 1, p->end);
		return true;
	case 8:
		if (!letters4(name, "rece") || !letters4(name + 4, "ived"))
			return true;
		if (via->has_received)
			return false;
		via->has_received = true;
		via->received = value_of(p);
		via->received_param = sip_span_of(p->name - 1, p->end);
		return true;
	case 3: return false; /* ttl, perhaps */
	default: return true;
	}
}

/* Whether eight bytes are ";branch=", the most common parameter. */
static inline bool is_branch(const uint8_t *p)
{
	return (sip_load64(p) | UINT64_C(0x0020202020202000)) == sip_load64(";branch=");
}

/* What there is behind the host and port of a Via, from i to its end. */
static inline bool quick_via_params(struct sip_via *via, struct quick *q, uint32_t i, uint32_t end)
{
	const uint8_t *b = q->m->buf;

	while (i < end) {
		struct plain_param p = { .name = i + 1 };

		if (unlikely(b[i] != ';' || !quick_next(q, &p.end)))
			return false;
		p.name_end = p.value = p.end;
		if (b[p.end] == '=') {
			p.value = p.end + 1;
			if (unlikely(!quick_over(q, SIP_C_PARAM, &p.end)))
				return false;
		}
		if (unlikely(p.end > end || p.name_end == p.name))
			return false;
		if (p.name_end == i + 7 && is_branch(b + i)) {
			if (unlikely(via->branch.off))
				return false;
			via->branch = value_of(&p);
		} else if (unlikely(!keep_via_param(via, b, &p))) {
			return false;
		}
		i = p.end;
	}
	return i == end;
}

/* One via-parm "SIP/2.0/transport host[:port]*(;param)" that fills [i, end). RFC 3261 20.42. */
static inline bool quick_via(struct sip_msg *m, uint32_t i, uint32_t end)
{
	const uint8_t *b = m->buf;
	uint32_t host = i + 12, at, port = 0;
	struct sip_via *via = &m->via;
	struct quick q = { .m = m, .look = stops64, .start = host };

	if (unlikely(host >= end || sip_load64(b + i) != sip_load64("SIP/2.0/")
		     || b[i + 11] != ' '))
		return false;
	if (sip_load32(b + i + 8) != sip_load32("UDP ")
	    && !(sip_is(b[i + 8], SIP_C_ALPHA) && sip_is(b[i + 9], SIP_C_ALPHA)
		 && sip_is(b[i + 10], SIP_C_ALPHA)))
		return false;
	if (unlikely(!quick_look(&q, host) || !quick_next(&q, &at) || at == host))
		return false;
	via->host = sip_span_of(host, at);
	if (b[at] == ':') {
		uint32_t digits = at + 1;

		if (unlikely(!quick_next(&q, &at) || !quick_number(b, digits, at, &port)))
			return false;
	}
	via->port = (uint16_t)port;
	via->transport = sip_span_of(i + 8, i + 11);
	via->value = sip_span_of(i, end);
	if (at < end)
		via->params = sip_span_of(at, end);
	return quick_via_params(via, &q, at, end);
}

/* A From or To [i, end) with a sip: URI in < >, and at most a tag. RFC 3261 20.10. */
static inline __attribute__((always_inline)) bool quick_addr(const struct sip_msg *m, uint32_t i,
							     uint32_t end, struct sip_span *uri,
							     struct sip_span *tag)
{
	struct quick q = { .m = m, .look = breaks64, .start = i };
	const uint8_t *b = m->buf;
	uint32_t start, stop;

	if (unlikely(!quick_look(&q, i) || !quick_next(&q, &stop)))
		return false;
	if (b[i] == '"') {
		do
			if (unlikely(!quick_next(&q, &i)))
				return false;
		while (i < end && b[i] != '"' && b[i] != '\\');
		if (unlikely(i >= end || b[i] != '"' || b[i + 1] != ' ' || !quick_next(&q, &stop)
			     || !quick_next(&q, &stop)))
			return false;
		i += 2;
	}
	/* Behind '<' at least "sip:" and one byte more, then '>'. */
	if (unlikely(i + 7 > end || b[i] != '<' || !letters4(b + i + 1, "sip:")))
		return false;
	start = i + 1;
	if (unlikely(!quick_over(&q, SIP_C_URI, &i) || i >= end || b[i] != '>' || i - start < 5))
		return false;
	*uri = sip_span_of(start, i);
	if (++i == end)
		return true;
	if (unlikely(!letters4(b + i, ";tag") || b[i] != ';' || b[i + 4] != '='))
		return false;
	if (unlikely(!quick_next(&q, &stop) || !quick_over(&q, SIP_C_PARAM, &stop) || stop != end))
		return false;
	*tag = sip_span_of(i + 5, end);
	return true;
}

/* CSeq: a number and one space, then the start line's method, or in an answer a known one. RFC 3261
 * 20.16. */
static inline bool quick_cseq(struct sip_msg *m, uint32_t i, uint32_t end)
{
	const uint8_t *b = m->buf;
	const struct sip_method_entry *method;
	uint64_t text = sip_load64(b + end - 8);
	uint32_t sp, len;

	if (likely(m->is_request)) {
		len = m->method_name.len;
		sp = end - len - 1;
		return len - 1 < 8 && b[sp] == ' '
		       && (text ^ sip_load64(sip_at(m, m->method_name)) << (64 - 8 * len))
					  >> (64 - 8 * len)
				  == 0
		       && quick_number(b, i, sp, &m->cseq);
	}
	sp = i;
	while (b[sp] != ' ' && sp < i + 5)
		sp++;
	len = end - sp - 1;
	if (len - 1 >= 8 || b[sp] != ' ' || !quick_number(b, i, sp, &m->cseq))
		return false;
	method = quick_method(text >> (64 - 8 * len), len);
	if (!method)
		return false;
	m->method = method->id;
	m->method_name = sip_span_of(sp + 1, end);
	return true;
}

/* The value of the first header with an id, which is there. */
static inline uint32_t quick_value(const struct sip_msg *m, enum sip_hdr_id id, uint32_t *end)
{
	const struct sip_hdr *h = &m->hdr[m->first[id]];

	*end = sip_hdr_value_end(h);
	return h->value_off;
}

static inline bool quick_u32(const struct sip_msg *m, uint64_t present, enum sip_hdr_id id,
			     uint32_t *value)
{
	uint32_t end, i;

	if (!(present & SIP_BIT(id)))
		return true;
	i = quick_value(m, id, &end);
	return quick_number(m->buf, i, end, value);
}

/*
 * The fields that steering needs, of a message that has all mandatory ones. Returns the set of
 * those that are left, by enum sip_hdr_id, with nothing of them written.
 */
static __attribute__((noinline)) uint64_t quick_fields(struct sip_msg *m, uint64_t present)
{
	uint8_t decoded = SIP_DECODED_ALL;
	uint64_t left = 0;
	uint32_t i, end;

	i = quick_value(m, SIP_HDR_VIA, &end);
	if (unlikely(!quick_via(m, i, end))) {
		memset(&m->via, 0, sizeof(m->via));
		decoded &= (uint8_t)~SIP_DECODED_VIA;
		left |= SIP_BIT(SIP_HDR_VIA);
	}
	i = quick_value(m, SIP_HDR_FROM, &end);
	if (unlikely(!quick_addr(m, i, end, &m->from_uri, &m->from_tag))) {
		decoded &= (uint8_t)~SIP_DECODED_FROM;
		left |= SIP_BIT(SIP_HDR_FROM);
	}
	i = quick_value(m, SIP_HDR_TO, &end);
	if (unlikely(!quick_addr(m, i, end, &m->to_uri, &m->to_tag))) {
		decoded &= (uint8_t)~SIP_DECODED_TO;
		left |= SIP_BIT(SIP_HDR_TO);
	}
	i = quick_value(m, SIP_HDR_CALL_ID, &end);
	m->call_id = sip_span_of(i, end);
	if (unlikely(i == end)) {
		decoded &= (uint8_t)~SIP_DECODED_CALL_ID;
		left |= SIP_BIT(SIP_HDR_CALL_ID);
	}
	i = quick_value(m, SIP_HDR_CSEQ, &end);
	if (unlikely(!quick_cseq(m, i, end))) {
		decoded &= (uint8_t)~SIP_DECODED_CSEQ;
		left |= SIP_BIT(SIP_HDR_CSEQ);
	}
	if (unlikely(!quick_u32(m, present, SIP_HDR_MAX_FORWARDS, &m->max_forwards)))
		left |= SIP_BIT(SIP_HDR_MAX_FORWARDS);
	if (unlikely(!quick_u32(m, present, SIP_HDR_CONTENT_LENGTH, &m->content_length)))
		left |= SIP_BIT(SIP_HDR_CONTENT_LENGTH);
	m->decoded = decoded;
	return left;
}
