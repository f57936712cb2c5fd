/*
 * Reading a parsed message: headers by id, spans, token lists, numbers. Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id)
{
	return sip_msg_has(m, id) ? &m->hdr[m->first[id]] : NULL;
}

const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h)
{
	const struct sip_hdr *end = m->hdr + m->n_hdrs;

	if (h->id == SIP_HDR_ROUTE && !m->more_routes)
		return NULL;
	for (const struct sip_hdr *n = h + 1; n < end; n++)
		if (n->id == h->id)
			return n;
	return NULL;
}

uint16_t sip_hdr_end(const struct sip_msg *m, const struct sip_hdr *h)
{
	return h + 1 < m->hdr + m->n_hdrs ? h[1].name_off : m->hdrs_end;
}

bool sip_span_is(const uint8_t *buf, struct sip_span s, const char *text)
{
	size_t len = strlen(text);

	return s.len == len && memcmp(buf + s.off, text, len) == 0;
}

bool sip_span_is_nocase(const uint8_t *buf, struct sip_span s, const char *text)
{
	uint32_t i;

	for (i = 0; i < s.len && text[i] != '\0'; i++)
		if (sip_lower(buf[s.off + i]) != sip_lower((uint8_t)text[i]))
			return false;
	return i == s.len && text[i] == '\0';
}

static bool value_has_token(const struct sip_msg *m, const struct sip_hdr *h, const char *token,
			    uint16_t *left)
{
	uint32_t i = h->value_off, end = sip_hdr_value_end(h);

	for (; i<end && * left> 0; *left -= 1) {
		const uint8_t *comma = memchr(m->buf + i, ',', end - i);
		uint32_t stop = comma ? (uint32_t)(comma - m->buf) : end;
		uint32_t start = sip_skip(m->buf, i, stop, SIP_C_LWS);

		if (sip_span_is_nocase(m->buf, sip_span_of(start, sip_trim(m->buf, start, stop)),
				       token))
			return true;
		i = stop + 1;
	}
	return false;
}

bool sip_msg_list_has(const struct sip_msg *m, enum sip_hdr_id id, const char *token)
{
	uint16_t left = SIP_WALK_MAX;

	for (const struct sip_hdr *h = sip_msg_hdr(m, id); h; h = sip_msg_hdr_next(m, h))
		if (value_has_token(m, h, token, &left))
			return true;
	return false;
}

int sip_hdr_u32(const struct sip_msg *m, const struct sip_hdr *h, uint32_t *value)
{
	uint32_t end = sip_hdr_value_end(h);
	uint32_t stop = sip_skip(m->buf, h->value_off, end, SIP_C_DIGIT);

	if (stop < end && !sip_is(m->buf[stop], SIP_C_LWS) && m->buf[stop] != ';'
	    && m->buf[stop] != '(')
		return -EINVAL;
	return sip_u32(m->buf, h->value_off, stop, value);
}
