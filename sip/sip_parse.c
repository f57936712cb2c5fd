/*
 * The parse: one pass over the header section, line by line, decoding what steering needs as it
 * goes by. RFC 3261 7, 16.3, 18.3. Pure; any thread; no allocation.
 *
 * The first error wins, and is remembered with its place; the pass goes on behind it where it can,
 * so that an answer can still be built.
 */
#include "sip/sip_internal.h"

#include <string.h>

/* The parse of one message: the view, and the first error. */
struct parse {
	struct sip_msg *m;
	enum sip_result result;
};

static void note(struct parse *p, uint32_t off, enum sip_result r)
{
	if (p->result != SIP_OK)
		return;
	p->result = r;
	p->m->err_off = (uint16_t)off;
}

static void decode_via(struct parse *p, uint32_t i, uint32_t end)
{
	uint32_t next;

	if (sip_via_decode(p->m->buf, i, end, &p->m->via, &next) < 0)
		note(p, i, SIP_ERR_VIA);
	if (p->m->via.value.len > 0)
		p->m->decoded |= SIP_DECODED_VIA;
}

/* From and To alike: the URI and the tag. */
static void decode_addr(struct parse *p, uint32_t i, uint32_t end, bool is_from)
{
	struct sip_msg *m = p->m;
	struct sip_span tag = { 0, 0 };
	struct sip_addr addr;

	if (i < end)
		m->decoded |= is_from ? SIP_DECODED_FROM : SIP_DECODED_TO;
	if (sip_addr_parse(m->buf, sip_span_of(i, end), &addr) < 0) {
		note(p, i, is_from ? SIP_ERR_FROM : SIP_ERR_TO);
		return;
	}
	sip_param_find(m->buf, addr.params, "tag", &tag);
	if (is_from) {
		m->from_uri = addr.uri;
		m->from_tag = tag;
	} else {
		m->to_uri = addr.uri;
		m->to_tag = tag;
	}
}

static void decode_call_id(struct parse *p, uint32_t i, uint32_t end)
{
	if (i == end) {
		note(p, i, SIP_ERR_CALL_ID);
		return;
	}
	p->m->call_id = sip_span_of(i, end);
	p->m->decoded |= SIP_DECODED_CALL_ID;
}

/* CSeq = 1*DIGIT LWS Method (20.16). In a request the method is the start line's (8.1.1.5). */
static void decode_cseq(struct parse *p, uint32_t i, uint32_t end)
{
	struct sip_msg *m = p->m;
	uint32_t stop = sip_skip(m->buf, i, end, SIP_C_DIGIT);
	uint32_t method = sip_skip(m->buf, stop, end, SIP_C_LWS);
	struct sip_span name = sip_span_of(method, end);

	if (i < end)
		m->decoded |= SIP_DECODED_CSEQ;
	if (sip_u32(m->buf, i, stop, &m->cseq) < 0 || method == stop || method == end
	    || sip_skip(m->buf, method, end, SIP_C_TOKEN) != end) {
		note(p, i, SIP_ERR_CSEQ);
		return;
	}
	if (!m->is_request) {
		m->method_name = name;
		m->method = (uint8_t)sip_method_lookup(m->buf + method, name.len);
	} else if (m->method_name.len
		   && (name.len != m->method_name.len
		       || memcmp(m->buf + method, sip_at(m, m->method_name), name.len) != 0)) {
		note(p, method, SIP_ERR_CSEQ_METHOD);
	}
}

static void decode_u32(struct parse *p, uint32_t i, uint32_t end, uint32_t *value,
		       enum sip_result r)
{
	if (sip_u32(p->m->buf, i, end, value) < 0)
		note(p, i, r);
}

static bool at_most_once(enum sip_hdr_id id)
{
	return id == SIP_HDR_FROM || id == SIP_HDR_TO || id == SIP_HDR_CALL_ID || id == SIP_HDR_CSEQ
	       || id == SIP_HDR_MAX_FORWARDS || id == SIP_HDR_CONTENT_LENGTH;
}

static void decode(struct parse *p, enum sip_hdr_id id, uint32_t i, uint32_t end)
{
	switch (id) {
	case SIP_HDR_VIA: decode_via(p, i, end); break;
	case SIP_HDR_FROM: decode_addr(p, i, end, true); break;
	case SIP_HDR_TO: decode_addr(p, i, end, false); break;
	case SIP_HDR_CALL_ID: decode_call_id(p, i, end); break;
	case SIP_HDR_CSEQ: decode_cseq(p, i, end); break;
	case SIP_HDR_MAX_FORWARDS:
		decode_u32(p, i, end, &p->m->max_forwards, SIP_ERR_MAX_FORWARDS);
		break;
	case SIP_HDR_CONTENT_LENGTH:
		decode_u32(p, i, end, &p->m->content_length, SIP_ERR_CONTENT_LENGTH);
		break;
	default: break;
	}
}

/* The colon of the header line that starts at i, or 0: its name has no white space or controls, but
 * white space may follow it (HCOLON). */
static uint32_t name_end(const uint8_t *b, uint32_t i, uint32_t end, uint32_t *colon)
{
	uint32_t stop = i;

	while (stop < end && b[stop] != ':' && b[stop] > ' ' && b[stop] != 0x7f)
		stop++;
	*colon = stop;
	while (*colon < end && (b[*colon] == ' ' || b[*colon] == '\t'))
		*colon += 1;
	if (*colon == end || b[*colon] != ':' || stop == i || stop - i > UINT8_MAX)
		return 0;
	return stop;
}

/* One header line, folds included, its last line feed at `end`. */
static void header(struct parse *p, uint32_t start, uint32_t end)
{
	struct sip_msg *m = p->m;
	struct sip_hdr *h = &m->hdr[m->n_hdrs];
	uint32_t colon, stop = name_end(m->buf, start, end, &colon), value, value_end;
	enum sip_hdr_id id;

	if (stop == 0) {
		note(p, start, SIP_ERR_HEADER_NAME);
		return;
	}
	id = sip_hdr_lookup(m->buf + start, stop - start);
	value_end = sip_trim(m->buf, colon + 1, end);
	value = sip_skip(m->buf, colon + 1, value_end, SIP_C_LWS);
	*h = (struct sip_hdr){
		.name_off = (uint16_t)start,
		.value_off = (uint16_t)value,
		.value_len = (uint16_t)(value_end - value),
		.name_len = (uint8_t)(stop - start),
		.id = (uint8_t)id,
	};
	m->n_hdrs++;
	if (sip_msg_has(m, id)) {
		if (at_most_once(id))
			note(p, start, SIP_ERR_DUPLICATE);
		return;
	}
	m->first[id] = (uint16_t)(m->n_hdrs - 1);
	m->present |= UINT64_C(1) << id;
	decode(p, id, value, value_end);
}

static bool is_blank(const uint8_t *b, uint32_t i, uint32_t len)
{
	return b[i] == '\n' || (b[i] == '\r' && i + 1 < len && b[i + 1] == '\n');
}

/* The line feed that ends the header line at i, folds included, or len. */
static uint32_t line_end(const uint8_t *b, uint32_t i, uint32_t len)
{
	const uint8_t *lf;

	do {
		lf = memchr(b + i, '\n', len - i);
		if (!lf)
			return len;
		i = (uint32_t)(lf - b) + 1;
	} while (i < len && (b[i] == ' ' || b[i] == '\t'));
	return i - 1;
}

/* All header lines from i to the blank line; sets hdrs_end and body_off. */
static void headers(struct parse *p, uint32_t i)
{
	struct sip_msg *m = p->m;
	uint32_t lf, n_lines = 0;

	for (; i < m->len && !is_blank(m->buf, i, m->len); i = lf + 1) {
		m->hdrs_end = (uint16_t)i;
		lf = line_end(m->buf, i, m->len);
		if (lf == m->len) {
			note(p, i, SIP_ERR_NO_END);
			return;
		}
		/* Lines that are no header count too: they cost as much. */
		if (n_lines++ == SIP_HDR_MAX) {
			note(p, i, SIP_ERR_TOO_MANY_HEADERS);
			return;
		}
		header(p, i, lf);
	}
	m->hdrs_end = (uint16_t)i;
	if (i == m->len) {
		note(p, i, SIP_ERR_NO_END);
		return;
	}
	m->body_off = (uint16_t)(i + (m->buf[i] == '\r') + 1);
}

/* What 8.1.1 makes mandatory, but for Max-Forwards, which 16.6 item 3 adds. */
static void require(struct parse *p)
{
	static const struct {
		enum sip_hdr_id id;
		enum sip_result result;
	} mandatory[] = {
		{ SIP_HDR_VIA, SIP_ERR_MISSING_VIA },
		{ SIP_HDR_FROM, SIP_ERR_MISSING_FROM },
		{ SIP_HDR_TO, SIP_ERR_MISSING_TO },
		{ SIP_HDR_CALL_ID, SIP_ERR_MISSING_CALL_ID },
		{ SIP_HDR_CSEQ, SIP_ERR_MISSING_CSEQ },
	};

	for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
		if (!sip_msg_has(p->m, mandatory[i].id))
			note(p, p->m->hdrs_end, mandatory[i].result);
}

/* 18.3: what is beyond Content-Length is discarded; less than it is an error. */
static void body(struct parse *p)
{
	struct sip_msg *m = p->m;
	uint32_t there = m->len - m->body_off;

	if (!sip_msg_has(m, SIP_HDR_CONTENT_LENGTH))
		return;
	if (m->content_length > there)
		note(p, m->hdr[m->first[SIP_HDR_CONTENT_LENGTH]].name_off, SIP_ERR_CONTENT_LENGTH);
	else
		m->len = m->body_off + m->content_length;
}

static void parse_from(struct parse *p, uint32_t start)
{
	struct sip_msg *m = p->m;
	const uint8_t *lf = memchr(m->buf + start, '\n', m->len - start);
	uint32_t end = lf ? (uint32_t)(lf - m->buf) : m->len;
	enum sip_result r;

	r = sip_start_line(m, start, end > start && m->buf[end - 1] == '\r' ? end - 1 : end);
	if (r != SIP_OK)
		note(p, m->err_off, r);
	if (r == SIP_ERR_NOT_SIP)
		return;
	if (!lf) {
		note(p, m->len, SIP_ERR_NO_END);
		return;
	}
	m->hdrs_off = (uint16_t)(end + 1);
	headers(p, end + 1);
	require(p);
	if (p->result == SIP_OK)
		body(p);
}

enum sip_result sip_msg_parse(struct sip_msg *m, const uint8_t *buf, size_t len)
{
	struct parse p = { .m = m, .result = SIP_OK };
	uint32_t start = 0;

	memset(m, 0, offsetof(struct sip_msg, first));
	m->buf = buf;
	if (len > SIP_MSG_MAX)
		return SIP_ERR_TOO_LARGE;
	m->len = (uint32_t)len;
	while (start < len && (buf[start] == '\r' || buf[start] == '\n'))
		start++;
	if (start == len)
		return SIP_ERR_EMPTY;
	parse_from(&p, start);
	return p.result;
}

bool sip_msg_answerable(const struct sip_msg *m)
{
	return m->is_request && m->method != SIP_METHOD_ACK && m->decoded == SIP_DECODED_ALL;
}
