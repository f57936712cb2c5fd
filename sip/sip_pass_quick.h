/*
 * The commonest forms of the start line and of the fields that steering needs decoded, by one
 * variant of the scan: sip_pass.h includes it.
 *
 * Each looks at 64 bytes at a time and at the places that come of them, compares what is nearly
 * always the same in one piece (`" <sip:`, `>;tag=`, `;branch=`), and calls nothing. What is longer
 * or otherwise is left to sip_pass.h, which says the same, only later.
 *
 * A value ends where white space or a line end follows, and both end words and break URIs: a walk
 * that stops at nothing else stops there.
 */
#pragma once

#include "sip/sip_pass_lines.h"

#if defined(__BMI2__)
#include <immintrin.h>
#endif

#define QUICK_MAX    512 /* bytes of a value that are looked at here */
#define QUICK_BEHIND 16  /* bytes that there are behind what is looked at */
#define QUICK_LEAST  (SIP_BLOCK + QUICK_BEHIND)

/* A walk over bytes of one kind: where words end, or URIs break. */
struct quick {
	const uint8_t *b;
	uint64_t (*look)(const uint8_t *p); /* known where this is used, and so no call */
	size_t start;
	size_t last; /* where 64 bytes may be looked at, at the most */
	size_t base;
	uint64_t bits; /* of the 64 bytes at base, those not taken yet */
};

/* Whether the message has the first 64 bytes. */
static inline bool quick_fits(const struct quick *q)
{
	return likely(q->start <= q->last);
}

/* Look at the first 64 bytes, if the message has them. */
static inline void quick_look(struct quick *q)
{
	q->base = q->start;
	q->bits = quick_fits(q) ? q->look(q->b + q->base) : 0;
}

/* Take the next place; false when it is too far. */
static inline __attribute__((always_inline)) bool quick_next(struct quick *q, size_t *i)
{
	while (unlikely(q->bits == 0)) {
		q->base += SIP_BLOCK;
		if (q->base > q->last || q->base - q->start > QUICK_MAX)
			return false;
		q->bits = q->look(q->b + q->base);
	}
	*i = q->base + (size_t)__builtin_ctzll(q->bits);
	q->bits &= q->bits - 1;
	return true;
}

/* Drop a place that is known to be the next, unless it is in the next 64 bytes. */
static inline void quick_drop(struct quick *q)
{
	q->bits &= q->bits - 1;
}

/* The first n bytes of eight, zeros behind them; n is 1 to 8. */
static inline uint64_t low_bytes(uint64_t text, size_t n)
{
#if defined(__BMI2__)
	return _bzhi_u64(text, (unsigned int)n * 8);
#else
	return text & UINT64_MAX >> (64 - 8 * n);
#endif
}

/* Whether there is a text of up to eight bytes, written in small letters where `letters` has 0x20:
 * a letter's case is one bit, which no other byte of a name or a URI becomes a letter by. */
#define IS_TEXT(p, text, letters)                                          \
	(((sip_load64(p) | sip_load64(letters)) << (9 - sizeof(text)) * 8) \
	 == sip_load64(text "\0\0\0\0\0\0\0") << (9 - sizeof(text)) * 8)

/* Whether four bytes are these letters in any case, and other characters as they are. */
static inline bool letters4(const uint8_t *p, const char *lower)
{
	return (sip_load32(p) | UINT32_C(0x20202020)) == sip_load32(lower);
}

/* Decimal digits that fill [i, end), one to four, four bytes into the message or later; false when
 * it is otherwise. They are added up as two pairs, then as one. */
static inline bool quick_number(const uint8_t *b, size_t i, size_t end, uint32_t *value)
{
	/* The last one to four of four bytes. */
	static const uint32_t last[4] = { 0xff000000, 0xffff0000, 0xffffff00, 0xffffffff };
	size_t more = end - i - 1;
	uint32_t v;

	if (unlikely(more >= 4))
		return false;
	v = (sip_load32(b + end - 4) ^ UINT32_C(0x30303030)) & last[more];
	if (unlikely((v | (v + UINT32_C(0x06060606))) & UINT32_C(0xf0f0f0f0)))
		return false;
	v = v * (10 << 8 | 1) >> 8 & UINT32_C(0x00ff00ff);
	*value = v * (100 << 16 | 1) >> 16;
	return true;
}

static inline const struct sip_method_entry *quick_method(uint64_t text, size_t len)
{
	const struct sip_method_entry *e = sip_method_place(text);

	return e->first == text && e->len == len ? e : NULL;
}

/* "METHOD URI SP SIP/2.0 CR LF" at i, the method known. Returns its text and where the headers
 * begin, which nobody needs to wait for to come back from memory then, or 0. RFC 3261 7.1. */
static inline uint64_t quick_request(struct sip_msg *m, size_t i, size_t last, size_t *hdrs)
{
	const uint8_t *b = m->buf;
	struct quick q = { .b = b, .look = breaks64, .start = i, .last = last };
	const struct sip_method_entry *method;
	size_t sp, uri_end, len;
	uint64_t text;

	quick_look(&q);
	if (unlikely(!quick_fits(&q) || !quick_next(&q, &sp)))
		return 0;
	len = sp - i;
	if (unlikely(len - 1 >= 8 || b[sp] != ' ' || !sip_is(b[sp + 1], SIP_C_ALPHA)
		     || !quick_next(&q, &uri_end)))
		return 0;
	while (unlikely(sip_load64(b + uri_end) != sip_load64(" SIP/2.0")))
		if (!sip_is(b[uri_end], SIP_C_URI) || !quick_next(&q, &uri_end))
			return 0;
	text = low_bytes(sip_load64(b + i), len);
	method = quick_method(text, len);
	if (unlikely(!method || sip_load16(b + uri_end + 8) != sip_load16("\r\n")))
		return 0;
	m->is_request = true;
	m->method_name = sip_span_of((uint32_t)i, (uint32_t)sp);
	m->method = method->id;
	m->uri = sip_span_of((uint32_t)sp + 1, (uint32_t)uri_end);
	*hdrs = uri_end + 10;
	m->hdrs_off = (uint16_t)*hdrs;
	return text;
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

/* The end of a parameter's value, from the next place on. */
static inline __attribute__((always_inline)) bool quick_value_end(struct quick *q, size_t end,
								  size_t *i)
{
	if (unlikely(!quick_next(q, i)))
		return false;
	while (unlikely(*i != end && q->b[*i] != ';'))
		if (!sip_is(q->b[*i], SIP_C_PARAM) || !quick_next(q, i))
			return false;
	return true;
}

/* The parameter of a Via whose ';' is at *i, whatever it is; *i is where it ends then. */
static inline __attribute__((always_inline)) bool
quick_via_param(struct sip_via *via, struct quick *q, size_t *i, size_t end)
{
	struct plain_param p = { .name = (uint32_t)*i + 1 };
	const uint8_t *b = q->b;
	size_t stop;

	if (unlikely(b[*i] != ';' || !quick_next(q, &stop)))
		return false;
	p.name_end = p.value = (uint32_t)stop;
	if (b[stop] == '=') {
		p.value++;
		if (unlikely(!quick_value_end(q, end, &stop)))
			return false;
	}
	p.end = (uint32_t)stop;
	*i = stop;
	return likely(p.name_end != p.name && keep_via_param(via, b, &p));
}

/* What there is behind the host and port of a Via, from i to its end: ";branch=", ";rport" and
 * ";received=" as they are mostly written, each by one compare, and others. */
static inline __attribute__((always_inline)) bool
quick_via_params(struct sip_via *via, struct quick *q, size_t i, size_t end)
{
	const uint8_t *b = q->b;
	size_t stop;

	while (i != end) {
		if (likely(IS_TEXT(b + i, ";branch=", "\0      "))) {
			quick_drop(q); /* = */
			if (unlikely(via->branch.off || !quick_value_end(q, end, &stop)))
				return false;
			via->branch = sip_span_of((uint32_t)i + 8, (uint32_t)stop);
		} else if (IS_TEXT(b + i, ";rport=", "\0     \0")) {
			quick_drop(q);
			if (unlikely(via->has_rport || !quick_value_end(q, end, &stop)))
				return false;
			via->has_rport = true;
			via->rport = sip_span_of((uint32_t)i + 7, (uint32_t)stop);
			via->rport_param = sip_span_of((uint32_t)i, (uint32_t)stop);
		} else if (sip_load64(b + i) == sip_load64(";receive")
			   && sip_load16(b + i + 8) == sip_load16("d=")) {
			quick_drop(q);
			if (unlikely(via->has_received || !quick_value_end(q, end, &stop)))
				return false;
			via->has_received = true;
			via->received = sip_span_of((uint32_t)i + 10, (uint32_t)stop);
			via->received_param = sip_span_of((uint32_t)i, (uint32_t)stop);
		} else if (IS_TEXT(b + i, ";rport", "\0     \0")
			   && (b[i + 6] == ';' || i + 6 == end)) {
			if (unlikely(via->has_rport || !quick_next(q, &stop)))
				return false;
			via->has_rport = true;
			via->rport = sip_span_of((uint32_t)stop, (uint32_t)stop);
			via->rport_param = sip_span_of((uint32_t)i, (uint32_t)stop);
		} else {
			stop = i;
			if (!quick_via_param(via, q, &stop, end))
				return false;
		}
		i = stop;
	}
	return true;
}

/* A header's value. */
static inline struct sip_span quick_span(const struct sip_hdr *h)
{
	struct sip_span s;

	static_assert(offsetof(struct sip_hdr, value_len)
			      == offsetof(struct sip_hdr, value_off) + 2,
		      "as a span");
	memcpy(&s, &h->value_off, sizeof(s));
	return s;
}

/* One via-parm "SIP/2.0/transport host[:port]*(;param)" that fills a value, looked at from
 * VIA_HOST bytes on. RFC 3261 20.42. */
#define VIA_HOST 12
static inline __attribute__((always_inline)) bool quick_via(struct sip_via *via,
							    const struct sip_hdr *h, struct quick q)
{
	const uint8_t *b = q.b;
	size_t i = h->value_off, end = i + h->value_len, at, digits;
	uint32_t port = 0;

	if (unlikely(!quick_fits(&q) || sip_load64(b + i) != sip_load64("SIP/2.0/")))
		return false;
	if (unlikely(sip_load32(b + i + 8) != sip_load32("UDP "))
	    && !(b[i + 11] == ' ' && sip_is(b[i + 8], SIP_C_ALPHA) && sip_is(b[i + 9], SIP_C_ALPHA)
		 && sip_is(b[i + 10], SIP_C_ALPHA)))
		return false;
	if (unlikely(q.bits & 1 || !quick_next(&q, &at)))
		return false;
	via->host = sip_span_of((uint32_t)i + VIA_HOST, (uint32_t)at);
	if (likely(b[at] == ':')) {
		digits = at + 1;
		if (unlikely(!quick_next(&q, &at)))
			return false;
		if (likely(at == digits + 4 && sip_load32(b + digits) == sip_load32("5060")))
			port = 5060;
		else if (!quick_number(b, digits, at, &port))
			return false;
	}
	via->port = (uint16_t)port;
	via->transport = sip_span_of((uint32_t)i + 8, (uint32_t)i + 11);
	via->value = quick_span(h);
	if (at != end)
		via->params = sip_span_of((uint32_t)at, (uint32_t)end);
	return quick_via_params(via, &q, at, end);
}

/* A From or To with a sip: URI in < >, and at most a tag. RFC 3261 20.10. */
static inline __attribute__((always_inline)) bool quick_addr(const struct sip_msg *m,
							     const struct sip_hdr *h,
							     struct quick q, struct sip_span *uri,
							     struct sip_span *tag)
{
	const uint8_t *b = m->buf;
	size_t i = h->value_off, end = i + h->value_len, stop, len;

	if (unlikely(!quick_fits(&q)))
		return false;
	quick_drop(&q); /* '"' or '<' */
	if (b[i] == '"') {
		do
			if (unlikely(!quick_next(&q, &i) || b[i] == '\\' || i == end))
				return false;
		while (unlikely(b[i] != '"'));
		if (unlikely(b[i + 1] != ' '))
			return false;
		quick_drop(&q);
		quick_drop(&q);
		i += 2;
	}
	/* Behind '<' at least "sip:" and one byte more, then '>'. */
	if (unlikely(b[i] != '<' || !letters4(b + i + 1, "sip:") || !quick_next(&q, &stop)))
		return false;
	i++;
	while (unlikely(b[stop] != '>'))
		if (!sip_is(b[stop], SIP_C_URI) || !quick_next(&q, &stop))
			return false;
	len = stop - i;
	if (unlikely(len < 5))
		return false;
	*uri = (struct sip_span){ (uint16_t)i, (uint16_t)len };
	if (stop + 1 == end)
		return true;
	if (unlikely(!IS_TEXT(b + stop, ">;tag=", "\0\0   \0\0")))
		return false;
	i = stop + 6;
	quick_drop(&q); /* ; */
	if (unlikely(!quick_next(&q, &stop)))
		return false;
	while (unlikely(stop != end))
		if (!sip_is(b[stop], SIP_C_PARAM) || !quick_next(&q, &stop))
			return false;
	*tag = sip_span_of((uint32_t)i, (uint32_t)end);
	return true;
}

/* CSeq of an answer: a number, one space, a known method. */
static inline bool quick_cseq_answer(struct sip_msg *m, size_t i, size_t end)
{
	const struct sip_method_entry *method;
	const uint8_t *b = m->buf;
	size_t sp = i, len;

	while (sp < end && sp < i + 5 && b[sp] != ' ')
		sp++;
	len = end - sp - 1;
	if (len - 1 >= 8 || b[sp] != ' ' || !quick_number(b, i, sp, &m->cseq))
		return false;
	method = quick_method(sip_load64(b + end - 8) >> (64 - 8 * len), len);
	if (!method)
		return false;
	m->method = method->id;
	m->method_name = sip_span_of((uint32_t)sp + 1, (uint32_t)end);
	return true;
}

/* CSeq: a number, one space, the method of the start line, if it has one and that is text. RFC 3261
 * 20.16. */
static inline bool quick_cseq(struct sip_msg *m, const struct sip_hdr *h, uint64_t text)
{
	const uint8_t *b = m->buf;
	size_t i = h->value_off, end = i + h->value_len, len = m->method_name.len;

	if (unlikely(text == 0))
		return !m->is_request && quick_cseq_answer(m, i, end);
	return likely(b[end - len - 1] == ' ')
	       && likely(sip_load64(b + end - 8) >> (64 - 8 * len) == text)
	       && likely(quick_number(b, i, end - len - 1, &m->cseq));
}

static inline const struct sip_hdr *quick_hdr(const struct sip_msg *m, enum sip_hdr_id id)
{
	return &m->hdr[m->first[id]];
}

static inline bool quick_u32(const struct sip_msg *m, uint64_t present, enum sip_hdr_id id,
			     uint32_t *value)
{
	const struct sip_hdr *h = quick_hdr(m, id);

	return unlikely(!(present & SIP_BIT(id)))
	       || quick_number(m->buf, h->value_off, (size_t)h->value_off + h->value_len, value);
}

/* The set of enum sip_decoded without the fields that are left. */
static __attribute__((noinline)) uint8_t decoded_but(uint64_t left)
{
	static const uint8_t decoded[] = {
		[SIP_HDR_VIA] = SIP_DECODED_VIA,   [SIP_HDR_FROM] = SIP_DECODED_FROM,
		[SIP_HDR_TO] = SIP_DECODED_TO,     [SIP_HDR_CALL_ID] = SIP_DECODED_CALL_ID,
		[SIP_HDR_CSEQ] = SIP_DECODED_CSEQ,
	};
	uint8_t set = SIP_DECODED_ALL;

	for (unsigned int id = 0; id < sizeof(decoded); id++)
		if (left & SIP_BIT(id))
			set &= (uint8_t)~decoded[id];
	return set;
}

/*
 * Via, From and To: returns the set of those that are left. All three are looked at before the
 * first is walked: what comes of a look takes long to be there, and the tables for it are loaded
 * once.
 */
static inline __attribute__((always_inline)) uint64_t quick_addresses(struct sip_msg *m)
{
	const struct sip_hdr *via = quick_hdr(m, SIP_HDR_VIA);
	const struct sip_hdr *from = quick_hdr(m, SIP_HDR_FROM), *to = quick_hdr(m, SIP_HDR_TO);
	struct quick q = { .b = m->buf, .look = stops64, .last = m->len - QUICK_LEAST };
	struct quick q_from = { .b = q.b, .look = breaks64, .last = q.last }, q_to = q_from;
	uint64_t left = 0;

	q.start = (size_t)via->value_off + VIA_HOST;
	q_from.start = from->value_off;
	q_to.start = to->value_off;
	quick_look(&q);
	quick_look(&q_from);
	quick_look(&q_to);
	if (unlikely(!quick_via(&m->via, via, q))) {
		memset(&m->via, 0, sizeof(m->via));
		left |= SIP_BIT(SIP_HDR_VIA);
	}
	if (unlikely(!quick_addr(m, from, q_from, &m->from_uri, &m->from_tag)))
		left |= SIP_BIT(SIP_HDR_FROM);
	if (unlikely(!quick_addr(m, to, q_to, &m->to_uri, &m->to_tag)))
		left |= SIP_BIT(SIP_HDR_TO);
	return left;
}

/*
 * The fields that steering needs, of a message that has all mandatory ones; text is the method of
 * the request line, if it is known. Returns the set of those that are left, by enum sip_hdr_id,
 * with nothing of them written.
 */
static inline __attribute__((always_inline)) uint64_t quick_fields(struct sip_msg *m,
								   uint64_t present, uint64_t text)
{
	uint64_t left = quick_addresses(m);

	m->call_id = quick_span(quick_hdr(m, SIP_HDR_CALL_ID));
	if (unlikely(m->call_id.len == 0))
		left |= SIP_BIT(SIP_HDR_CALL_ID);
	if (unlikely(!quick_cseq(m, quick_hdr(m, SIP_HDR_CSEQ), text)))
		left |= SIP_BIT(SIP_HDR_CSEQ);
	if (unlikely(!quick_u32(m, present, SIP_HDR_MAX_FORWARDS, &m->max_forwards)))
		left |= SIP_BIT(SIP_HDR_MAX_FORWARDS);
	if (unlikely(!quick_u32(m, present, SIP_HDR_CONTENT_LENGTH, &m->content_length)))
		left |= SIP_BIT(SIP_HDR_CONTENT_LENGTH);
	m->decoded = likely(left == 0) ? SIP_DECODED_ALL : decoded_but(left);
	return left;
}
