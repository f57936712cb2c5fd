/*
 * The pass over a message: the start line, header line by header line, then what steering needs
 * decoded. Included at the end of each variant of the scan, and built with it: see sip_block.h for
 * what it must have defined, besides SIP_SCAN, the name of its struct sip_scan, and SIP_SCAN_NAME.
 *
 * It takes messages as most are; whatever is not plain goes to sip_parse.h. Pure; any thread.
 */
#include "sip/sip_pass_quick.h"

extern const struct sip_scan SIP_SCAN;

static uint32_t skip(const uint8_t *b, uint32_t i, uint32_t limit, const struct sip_set *set)
{
	uint8_t copy[SIP_BLOCK];
	unsigned int shift = 0;
	uint64_t out;

	for (; limit - i >= SIP_BLOCK; i += SIP_BLOCK) {
		out = out64(b + i, set);
		if (out)
			return i + (uint32_t)__builtin_ctzll(out);
	}
	if (i == limit)
		return limit;
	/* Two statements: the operands of >> have no order, and the first sets the second. */
	out = out64(sip_block_cut(b, i, limit, copy, &shift), set);
	out >>= shift;
	return i + (uint32_t)__builtin_ctzll(out | UINT64_MAX << (limit - i));
}

/* A walk over the ends of words of a message. */
struct walk {
	const uint8_t *b;
	uint32_t len;
	uint32_t base;
	uint64_t stops; /* of the 64 bytes at base, those not taken yet */
};

static inline struct walk walk_from(const struct sip_msg *m, uint32_t i)
{
	return (struct walk){ m->buf, m->len, i, stops(m->buf, i, m->len) };
}

/* The next end of a word. There is one: the line's, if no other. */
static inline uint32_t walk_next(struct walk *w)
{
	uint32_t i;

	while (unlikely(w->stops == 0)) {
		w->base += SIP_BLOCK;
		w->stops = stops(w->b, w->base, w->len);
	}
	i = w->base + (uint32_t)__builtin_ctzll(w->stops);
	w->stops &= w->stops - 1;
	return i;
}

/* The next end of a word that is no byte of the class. */
static inline uint32_t walk_over(struct walk *w, unsigned int class)
{
	uint32_t i = walk_next(w);

	while (sip_is(w->b[i], class))
		i = walk_next(w);
	return i;
}

/* Decimal digits from i on: at most nine, else none. Returns where they end, or 0. */
static inline uint32_t number(const uint8_t *b, uint32_t i, uint32_t *value)
{
	uint32_t start = i, v = 0;
	uint8_t digit;

	*value = 0;
	while ((digit = (uint8_t)(b[i] - '0')) <= 9) {
		v = v * 10 + digit;
		if (unlikely(++i - start > 9))
			return 0;
	}
	*value = v;
	return i > start ? i : 0;
}

/* "METHOD URI SP SIP/2.0" in [start, end), the method known. RFC 3261 7.1. */
static __attribute__((noinline)) bool plain_request(struct sip_msg *m, uint32_t start, uint32_t end)
{
	const uint8_t *b = m->buf;
	uint32_t uri_end = end - 8, sp, len;
	const struct sip_method_entry *method;
	struct walk w;

	if (end - start < 16 || sip_load64(b + uri_end) != sip_load64(" SIP/2.0"))
		return false;
	w = walk_from(m, start);
	sp = walk_next(&w);
	len = sp - start;
	if (len - 1 >= 8 || b[sp] != ' ' || !sip_is(b[sp + 1], SIP_C_ALPHA)
	    || walk_over(&w, SIP_C_URI) != uri_end)
		return false;
	method = sip_method_place(sip_load64(b + start) << (64 - 8 * len) >> (64 - 8 * len));
	if (method->first != sip_load64(b + start) << (64 - 8 * len) >> (64 - 8 * len)
	    || method->len != len)
		return false;
	m->is_request = true;
	m->method_name = sip_span_of(start, sp);
	m->method = method->id;
	m->uri = sip_span_of(sp + 1, uri_end);
	return true;
}

/* "SIP/2.0 status reason CR LF" at i, its line feed among the first 64 bytes. RFC 3261 7.2. */
static __attribute__((noinline)) bool plain_status(struct sip_msg *m, size_t i)
{
	const uint8_t *b = m->buf;
	uint32_t code, first;
	uint64_t feed;
	size_t end;

	if (i + QUICK_LEAST > m->len || sip_load64(b + i) != sip_load64("SIP/2.0 "))
		return false;
	feed = feeds64(feed_row(), b + i);
	code = sip_load32(b + i + 8) ^ sip_load32("000 ");
	first = code & 0xff;
	/* What is more than 9 becomes more than 15. */
	if (((code | (code + UINT32_C(0x00060606))) & UINT32_C(0xfff0f0f0)) || first - 1 > 5
	    || feed == 0)
		return false;
	end = i + (size_t)__builtin_ctzll(feed);
	if (b[end - 1] != '\r')
		return false;
	m->status = (uint16_t)(first * 100 + (code >> 8 & 0xff) * 10 + (code >> 16));
	if (end > i + 13)
		m->reason = sip_span_of((uint32_t)i + 12, (uint32_t)end - 1);
	m->hdrs_off = (uint16_t)(end + 1);
	return true;
}

/* The parameter whose ';' is at i, the end of a word that the walk has just passed; false when it
 * is not plain. */
static inline bool plain_param(struct walk *w, uint32_t i, uint32_t end, struct plain_param *p)
{
	p->name = i + 1;
	p->name_end = p->value = p->end = walk_next(w);
	if (p->name_end == p->name)
		return false;
	if (w->b[p->end] == '=' && p->end < end) {
		p->value = p->end + 1;
		p->end = walk_over(w, SIP_C_PARAM);
	}
	return p->end == end || w->b[p->end] == ';';
}

/* One via-parm "SIP/2.0/transport host[:port]*(;param)" that fills [start, end). RFC 3261 20.42. */
static __attribute__((noinline)) bool plain_via(struct sip_msg *m, uint32_t start, uint32_t end)
{
	struct sip_via *via = &m->via;
	const uint8_t *b = m->buf;
	uint32_t host = start + 12, i, port = 0;
	unsigned int n_params = 0;
	struct plain_param p;
	struct walk w;

	if (host >= end || sip_load64(b + start) != sip_load64("SIP/2.0/") || b[start + 11] != ' '
	    || !sip_is(b[start + 8], SIP_C_ALPHA) || !sip_is(b[start + 9], SIP_C_ALPHA)
	    || !sip_is(b[start + 10], SIP_C_ALPHA))
		return false;
	w = walk_from(m, host);
	i = walk_next(&w);
	if (i == host)
		return false;
	via->host = sip_span_of(host, i);
	if (b[i] == ':') {
		i = number(b, i + 1, &port);
		if (i == 0 || port > UINT16_MAX || walk_next(&w) != i)
			return false;
	}
	via->port = (uint16_t)port;
	via->transport = sip_span_of(start + 8, start + 11);
	if (i < end)
		via->params = sip_span_of(i, end);
	while (i < end) {
		if (b[i] != ';' || ++n_params > SIP_WALK_MAX || !plain_param(&w, i, end, &p)
		    || !keep_via_param(via, b, &p))
			return false;
		i = p.end;
	}
	via->value = sip_span_of(start, end);
	return true;
}

/* Behind the display name in quotes that starts at i, and one space behind it, or 0. */
static inline uint32_t plain_display(struct walk *w, uint32_t end)
{
	uint32_t i;

	walk_next(w); /* the first quote */
	do
		i = walk_next(w);
	while (i < end && w->b[i] != '"' && w->b[i] != '\\');
	if (i >= end || w->b[i] != '"' || w->b[i + 1] != ' ')
		return 0;
	return walk_next(w) + 1;
}

/* A From or To [i, end) with a sip: URI in < >, and plain parameters. RFC 3261 20.10. */
static __attribute__((noinline)) bool plain_addr(const struct sip_msg *m, uint32_t i, uint32_t end,
						 struct sip_span *uri, struct sip_span *tag)
{
	struct walk w = walk_from(m, i);
	struct sip_span in_angles, found = { 0, 0 };
	const uint8_t *b = m->buf;
	unsigned int n_params = 0;
	struct plain_param p;
	uint32_t start;

	if (b[i] == '"') {
		i = plain_display(&w, end);
		if (i == 0)
			return false;
	}
	/* Behind '<' at least "sip:" and one byte more, then '>'. */
	if (i + 7 > end || b[i] != '<' || !letters4(b + i + 1, "sip:"))
		return false;
	walk_next(&w); /* '<' */
	start = i + 1;
	i = walk_over(&w, SIP_C_URI);
	if (i >= end || b[i] != '>' || i - start < 5)
		return false;
	in_angles = sip_span_of(start, i);
	if (++i < end) {
		if (b[i] != ';')
			return false;
		walk_next(&w); /* ';' */
	}
	while (i < end) {
		if (++n_params > SIP_WALK_MAX || !plain_param(&w, i, end, &p))
			return false;
		if (p.name_end - p.name == 3 && found.off == 0 && letters4(b + p.name - 1, ";tag"))
			found = value_of(&p);
		i = p.end;
	}
	*uri = in_angles;
	*tag = found;
	return true;
}

/* CSeq of a request: a number, one space, the start line's method. RFC 3261 20.16. */
static inline bool plain_cseq(struct sip_msg *m, uint32_t i, uint32_t end)
{
	const uint8_t *b = m->buf, *method = sip_at(m, m->method_name);
	uint32_t len = m->method_name.len, cseq;

	i = number(b, i, &cseq);
	if (i == 0 || !m->is_request || b[i] != ' ' || end - i - 1 != len || len < 4 || len > 8)
		return false;
	i++;
	if (sip_load32(b + i) != sip_load32(method)
	    || sip_load32(b + end - 4) != sip_load32(method + len - 4))
		return false;
	m->cseq = cseq;
	return true;
}

static inline void decode_u32(struct sip_parse *p, uint32_t i, uint32_t end, uint32_t *value,
			      enum sip_result r)
{
	uint32_t v;

	if (likely(number(p->m->buf, i, &v) == end))
		*value = v;
	else if (sip_u32(p->m->buf, i, end, value) < 0)
		sip_parse_note(p, i, r);
}

/* The first header with an id: whether there is one that is left, and its value. */
static inline bool first(const struct sip_msg *m, uint64_t left, enum sip_hdr_id id, uint32_t *i,
			 uint32_t *end)
{
	if (!(m->present & left & SIP_BIT(id)))
		return false;
	*i = quick_hdr(m, id)->value_off;
	*end = sip_hdr_value_end(quick_hdr(m, id));
	return true;
}

static inline void decode_via(struct sip_parse *p, uint64_t left)
{
	uint32_t i, end;

	if (!first(p->m, left, SIP_HDR_VIA, &i, &end))
		return;
	if (likely(plain_via(p->m, i, end)))
		p->m->decoded |= SIP_DECODED_VIA;
	else
		sip_parse_via(p, i, end);
}

static inline void decode_addrs(struct sip_parse *p, uint64_t left)
{
	struct sip_msg *m = p->m;
	uint32_t i, end;

	if (first(m, left, SIP_HDR_FROM, &i, &end)) {
		if (likely(plain_addr(m, i, end, &m->from_uri, &m->from_tag)))
			m->decoded |= SIP_DECODED_FROM;
		else
			sip_parse_addr(p, i, end, SIP_HDR_FROM);
	}
	if (first(m, left, SIP_HDR_TO, &i, &end)) {
		if (likely(plain_addr(m, i, end, &m->to_uri, &m->to_tag)))
			m->decoded |= SIP_DECODED_TO;
		else
			sip_parse_addr(p, i, end, SIP_HDR_TO);
	}
}

/* Its pattern does not see whether white space is left before the value. */
static inline uint32_t trim_content_length(struct sip_msg *m, uint32_t i, uint32_t end)
{
	struct sip_hdr *h = &m->hdr[m->first[SIP_HDR_CONTENT_LENGTH]];

	i = sip_skip_lws(m->buf, i, end);
	h->value_off = (uint16_t)i;
	h->value_len = (uint16_t)(end - i);
	return i;
}

static inline void decode_rest(struct sip_parse *p, uint64_t left)
{
	struct sip_msg *m = p->m;
	uint32_t i, end;

	if (first(m, left, SIP_HDR_CALL_ID, &i, &end)) {
		if (likely(i < end)) {
			m->call_id = sip_span_of(i, end);
			m->decoded |= SIP_DECODED_CALL_ID;
		} else {
			sip_parse_note(p, i, SIP_ERR_CALL_ID);
		}
	}
	if (first(m, left, SIP_HDR_CSEQ, &i, &end)) {
		if (likely(plain_cseq(m, i, end)))
			m->decoded |= SIP_DECODED_CSEQ;
		else
			sip_parse_cseq(p, i, end);
	}
	if (first(m, left, SIP_HDR_MAX_FORWARDS, &i, &end))
		decode_u32(p, i, end, &m->max_forwards, SIP_ERR_MAX_FORWARDS);
	if (first(m, left, SIP_HDR_CONTENT_LENGTH, &i, &end)) {
		i = trim_content_length(m, i, end);
		decode_u32(p, i, end, &m->content_length, SIP_ERR_CONTENT_LENGTH);
	}
}

/* The start line; false when there is nothing to be read behind it. */
static __attribute__((noinline)) bool start_line(struct sip_parse *p, uint32_t start)
{
	struct sip_msg *m = p->m;
	uint32_t end, stop;
	enum sip_result r;

	end = sip_parse_line_feed(m, start);
	stop = end > start && m->buf[end - 1] == '\r' ? end - 1 : end;
	if (end == m->len || !plain_request(m, start, stop)) {
		r = sip_start_line(m, start, stop);
		if (r != SIP_OK)
			sip_parse_note(p, m->err_off, r);
		if (r == SIP_ERR_NOT_SIP)
			return false;
	}
	if (end == m->len) {
		sip_parse_note(p, m->len, SIP_ERR_NO_END);
		return false;
	}
	m->hdrs_off = (uint16_t)(end + 1);
	return true;
}

/* Whether the top Via does not fill its header's value. */
static bool shares_its_line(const struct sip_msg *m)
{
	const struct sip_hdr *h = quick_hdr(m, SIP_HDR_VIA);

	return (m->present & SIP_BIT(SIP_HDR_VIA))
	       && m->via.value.off + m->via.value.len != h->value_off + h->value_len;
}

/* Decode what quick_fields() left, whose Via fills its line. */
static __attribute__((noinline)) void decode(struct sip_parse *p, uint64_t left)
{
	decode_via(p, left);
	p->m->more_vias |= shares_its_line(p->m);
	decode_addrs(p, left);
	decode_rest(p, left);
}

static bool via(const struct sip_msg *m, const struct sip_hdr *h, struct sip_via *out)
{
	struct quick q = { .b = m->buf,
			   .look = stops64,
			   .start = (size_t)h->value_off + VIA_HOST,
			   .last = m->len - QUICK_LEAST };

	if (unlikely(m->len < QUICK_LEAST))
		return false;
	quick_look(&q);
	memset(out, 0, sizeof(*out));
	return quick_via(out, h, q);
}

static inline bool quick_end(struct sip_msg *m, uint32_t i)
{
	if (m->len - i < 2 || m->buf[i] != '\r' || m->buf[i + 1] != '\n')
		return false;
	m->hdrs_end = (uint16_t)i;
	m->body_off = (uint16_t)(i + 2);
	return true;
}

static void pass(struct sip_parse *p, uint32_t start)
{
	struct sip_lines l = { .room = SIP_HDR_MAX };
	struct sip_msg *m = p->m;
	const bool quick = m->len >= QUICK_LEAST;
	uint64_t left = UINT64_MAX, method = 0;
	size_t i = 0;

	if (likely(quick))
		method = quick_request(m, start, m->len - QUICK_LEAST, &i);
	if (unlikely(method == 0)) {
		if (!plain_status(m, start) && !start_line(p, start))
			return;
		i = m->hdrs_off;
	}
	l.i = (uint32_t)i;
	for (;;) {
		if (likely(quick))
			plain_lines(m, &l, i);
		if (likely(quick_end(m, l.i)) || !sip_parse_line(p, &l))
			break;
		i = l.i;
	}
	m->n_hdrs = (uint16_t)l.n_hdrs;
	m->present = l.present;
	if (likely(quick && (l.present & sip_mandatory) == sip_mandatory))
		left = quick_fields(m, l.present, method);
	if (unlikely(left)) {
		decode(p, left);
		sip_parse_finish(p);
	} else if (likely(p->result == SIP_OK && (l.present & SIP_BIT(SIP_HDR_CONTENT_LENGTH))
			  && m->content_length <= m->len - m->body_off)) {
		m->len = m->body_off + m->content_length;
	} else {
		sip_parse_finish(p);
	}
}

const struct sip_scan SIP_SCAN = { SIP_SCAN_NAME, feeds, stops, skip, pass, via };
