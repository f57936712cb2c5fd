/*
 * The parse: what is done before and after the pass over the header lines, and all that the pass
 * leaves to the whole grammar. RFC 3261 7, 16.3, 18.3. Pure; any thread; no allocation.
 *
 * The first error wins, and is remembered with its place; the parse goes on behind it where it can,
 * so that an answer can still be built.
 */
#include "sip/sip_parse.h"

#include <string.h>

/* Errors are not found in the order of the text. */
void sip_parse_note(struct sip_parse *p, uint32_t off, enum sip_result r)
{
	if (p->result != SIP_OK && off >= p->m->err_off)
		return;
	p->result = r;
	p->m->err_off = (uint16_t)off;
}

void sip_parse_via(struct sip_parse *p, uint32_t i, uint32_t end)
{
	struct sip_msg *m = p->m;
	struct sip_text t = sip_text_of(m->buf, m->len);
	uint32_t next;

	if (sip_via_decode(&t, i, end, &m->via, &next) < 0)
		sip_parse_note(p, i, SIP_ERR_VIA);
	if (m->via.value.len > 0)
		m->decoded |= SIP_DECODED_VIA;
}

void sip_parse_addr(struct sip_parse *p, uint32_t i, uint32_t end, enum sip_hdr_id id)
{
	struct sip_msg *m = p->m;
	struct sip_text t = sip_text_of(m->buf, m->len);
	bool is_from = id == SIP_HDR_FROM;
	struct sip_addr addr;
	struct sip_span tag;

	if (i < end)
		m->decoded |= is_from ? SIP_DECODED_FROM : SIP_DECODED_TO;
	if (sip_addr_decode(&t, i, end, &addr, &tag) < 0) {
		sip_parse_note(p, i, is_from ? SIP_ERR_FROM : SIP_ERR_TO);
		return;
	}
	*(is_from ? &m->from_uri : &m->to_uri) = addr.uri;
	*(is_from ? &m->from_tag : &m->to_tag) = tag;
}

/* CSeq = 1*DIGIT LWS Method (20.16). In a request the method is the start line's (8.1.1.5). */
void sip_parse_cseq(struct sip_parse *p, uint32_t i, uint32_t end)
{
	struct sip_msg *m = p->m;
	uint32_t stop = sip_skip(m->buf, i, end, SIP_C_DIGIT);
	uint32_t method = sip_skip(m->buf, stop, end, SIP_C_LWS);
	struct sip_span name = sip_span_of(method, end);

	if (i < end)
		m->decoded |= SIP_DECODED_CSEQ;
	if (sip_u32(m->buf, i, stop, &m->cseq) < 0 || method == stop || method == end
	    || sip_skip(m->buf, method, end, SIP_C_TOKEN) != end) {
		sip_parse_note(p, i, SIP_ERR_CSEQ);
		return;
	}
	if (!m->is_request) {
		m->method_name = name;
		m->method = (uint8_t)sip_method_lookup(m->buf + method, name.len);
	} else if (m->method_name.len
		   && (name.len != m->method_name.len
		       || memcmp(m->buf + method, sip_at(m, m->method_name), name.len) != 0)) {
		sip_parse_note(p, method, SIP_ERR_CSEQ_METHOD);
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

/* The header line [start, end), folds included; false when it is none. */
static bool field(const uint8_t *b, uint32_t start, uint32_t end, struct sip_hdr *h)
{
	uint32_t colon, stop = name_end(b, start, end, &colon), value, value_end;

	if (stop == 0)
		return false;
	value_end = sip_trim(b, colon + 1, end);
	value = sip_skip(b, colon + 1, value_end, SIP_C_LWS);
	*h = (struct sip_hdr){
		.name_off = (uint16_t)start,
		.value_off = (uint16_t)value,
		.value_len = (uint16_t)(value_end - value),
		.name_len = (uint8_t)(stop - start),
		.id = (uint8_t)sip_hdr_lookup(b + start, stop - start),
	};
	return true;
}

/* Line feeds of [base, base + 64) that are not taken yet. */
struct feeds {
	uint64_t bits;
	uint32_t base;
};

static struct feeds feeds_from(const struct sip_msg *m, uint32_t i)
{
	return (struct feeds){ sip_scan_chosen->feeds(m->buf, i, m->len), i };
}

/* Take the next line feed: its offset, or the message's length when there is none. */
static uint32_t take_feed(const struct sip_msg *m, struct feeds *f)
{
	uint32_t i;

	while (f->bits == 0) {
		if (m->len - f->base <= 64)
			return m->len;
		*f = feeds_from(m, f->base + 64);
	}
	i = f->base + (uint32_t)__builtin_ctzll(f->bits);
	f->bits &= f->bits - 1;
	return i;
}

uint32_t sip_parse_line_feed(const struct sip_msg *m, uint32_t i)
{
	struct feeds f = feeds_from(m, i);

	return take_feed(m, &f);
}

static bool is_blank(const uint8_t *b, uint32_t i, uint32_t len)
{
	return b[i] == '\n' || (b[i] == '\r' && i + 1 < len && b[i + 1] == '\n');
}

static bool ends_at(struct sip_parse *p, uint32_t i, enum sip_result r)
{
	struct sip_msg *m = p->m;

	m->hdrs_end = (uint16_t)i;
	if (r == SIP_OK)
		m->body_off = (uint16_t)(i + (m->buf[i] == '\r') + 1);
	else
		sip_parse_note(p, i, r);
	return false;
}

bool sip_parse_line(struct sip_parse *p, struct sip_lines *l)
{
	struct sip_msg *m = p->m;
	const uint8_t *b = m->buf;
	uint32_t start = l->i, end;
	struct sip_hdr *h = &m->hdr[l->n_hdrs];
	struct feeds f;

	if (start == m->len)
		return ends_at(p, start, SIP_ERR_NO_END);
	if (is_blank(b, start, m->len))
		return ends_at(p, start, SIP_OK);
	f = feeds_from(m, start);
	do
		end = take_feed(m, &f);
	while (end + 1 < m->len && (b[end + 1] == ' ' || b[end + 1] == '\t'));
	if (end == m->len)
		return ends_at(p, start, SIP_ERR_NO_END);
	if (l->room == 0)
		return ends_at(p, start, SIP_ERR_TOO_MANY_HEADERS);
	l->room--;
	l->i = end + 1;
	if (!field(b, start, end, h)) {
		sip_parse_note(p, start, SIP_ERR_HEADER_NAME);
		return true;
	}
	l->n_hdrs++;
	if (l->present & SIP_BIT(h->id)) {
		m->more_vias |= h->id == SIP_HDR_VIA;
		m->more_routes |= h->id == SIP_HDR_ROUTE;
		if (sip_at_most_once & SIP_BIT(h->id))
			sip_parse_note(p, start, SIP_ERR_DUPLICATE);
		return true;
	}
	l->present |= SIP_BIT(h->id);
	m->first[h->id] = (uint16_t)(l->n_hdrs - 1);
	return true;
}

static void require(struct sip_parse *p)
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
	if ((p->m->present & sip_mandatory) == sip_mandatory)
		return;
	for (size_t i = 0; i < sizeof(mandatory) / sizeof(mandatory[0]); i++)
		if (!sip_msg_has(p->m, mandatory[i].id))
			sip_parse_note(p, p->m->hdrs_end, mandatory[i].result);
}

/* 18.3: what is beyond Content-Length is discarded; less than it is an error. */
static void body(struct sip_parse *p)
{
	struct sip_msg *m = p->m;
	uint32_t there = m->len - m->body_off;

	if (!sip_msg_has(m, SIP_HDR_CONTENT_LENGTH))
		return;
	if (m->content_length > there)
		sip_parse_note(p, m->hdr[m->first[SIP_HDR_CONTENT_LENGTH]].name_off,
			       SIP_ERR_CONTENT_LENGTH);
	else
		m->len = m->body_off + m->content_length;
}

void sip_parse_finish(struct sip_parse *p)
{
	require(p);
	if (p->result == SIP_OK)
		body(p);
}

/* Zero what is before `first`: in pieces, for a piece of this size is not made with a slow `rep`.
 */
static void clear(struct sip_msg *m)
{
	enum { PIECE = 64, SIZE = offsetof(struct sip_msg, first) };
	uint8_t *p = (uint8_t *)m;

	static_assert(SIZE > PIECE && SIZE <= 2 * PIECE, "two pieces");
	memset(p, 0, PIECE);
	memset(p + SIZE - PIECE, 0, PIECE);
}

enum sip_result sip_msg_parse(struct sip_msg *m, const uint8_t *buf, size_t len)
{
	struct sip_parse p = { m, SIP_OK };
	uint32_t start = 0;

	clear(m);
	m->buf = buf;
	if (len > SIP_MSG_MAX)
		return SIP_ERR_TOO_LARGE;
	m->len = (uint32_t)len;
	while (start < len && (buf[start] == '\r' || buf[start] == '\n'))
		start++;
	if (start == len)
		return SIP_ERR_EMPTY;
	sip_scan_chosen->pass(&p, start);
	return p.result;
}

bool sip_msg_answerable(const struct sip_msg *m)
{
	return m->is_request && m->method != SIP_METHOD_ACK && m->decoded == SIP_DECODED_ALL;
}
