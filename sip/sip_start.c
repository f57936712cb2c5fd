/*
 * The start line: request line or status line. RFC 3261 7.1, 7.2, 25.1. Pure; any thread.
 *
 * What is no SIP at all (HTTP, noise) is told apart from SIP that is malformed: the former is
 * dropped, the latter is answered.
 */
#include "sip/sip_internal.h"

#include <string.h>

static bool is_sip_slash(const uint8_t *p)
{
	return sip_lower(p[0]) == 's' && sip_lower(p[1]) == 'i' && sip_lower(p[2]) == 'p'
	       && p[3] == '/';
}

/* SIP-Version; its letters are compared without case (7.1). */
static enum sip_result version(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t dot, stop;

	if (end - i < 4 || !is_sip_slash(b + i))
		return SIP_ERR_NOT_SIP;
	i += 4;
	if (end - i == 3 && memcmp(b + i, "2.0", 3) == 0)
		return SIP_OK;
	dot = sip_skip(b, i, end, SIP_C_DIGIT);
	if (dot == i || dot == end || b[dot] != '.')
		return SIP_ERR_START_LINE;
	stop = sip_skip(b, dot + 1, end, SIP_C_DIGIT);
	return stop > dot + 1 && stop == end ? SIP_ERR_VERSION : SIP_ERR_START_LINE;
}

static enum sip_result fail(struct sip_msg *m, uint32_t off, enum sip_result r)
{
	m->err_off = (uint16_t)off;
	return r;
}

static enum sip_result status_line(struct sip_msg *m, uint32_t start, uint32_t end)
{
	const uint8_t *b = m->buf;
	uint32_t sp = start, code;
	enum sip_result r;

	if (end - start > 8 && sip_load64(b + start) == sip_load64("SIP/2.0 ")) {
		sp += 7;
	} else {
		while (sp < end && b[sp] != ' ')
			sp++;
		r = version(b, start, sp);
		if (r != SIP_OK)
			return fail(m, start, r);
	}
	code = sp + 1;
	if (end - sp < 4 || !sip_is(b[code], SIP_C_DIGIT) || !sip_is(b[code + 1], SIP_C_DIGIT)
	    || !sip_is(b[code + 2], SIP_C_DIGIT) || b[code] < '1' || b[code] > '6')
		return fail(m, sp, SIP_ERR_START_LINE);
	if (end - code > 3 && b[code + 3] != ' ')
		return fail(m, code + 3, SIP_ERR_START_LINE);
	m->status =
		(uint16_t)((b[code] - '0') * 100 + (b[code + 1] - '0') * 10 + (b[code + 2] - '0'));
	if (end - code > 4)
		m->reason = sip_span_of(code + 4, end);
	return SIP_OK;
}

/* Where the last word of the line starts, trailing white space left out: the version, if it is a
 * request line. */
static uint32_t last_word(const uint8_t *b, uint32_t start, uint32_t end)
{
	uint32_t i = sip_trim(b, start, end);

	while (i > start && !sip_is(b[i - 1], SIP_C_LWS))
		i--;
	return i;
}

static enum sip_result request_line(struct sip_msg *m, uint32_t start, uint32_t end)
{
	const uint8_t *b = m->buf;
	uint32_t last = last_word(b, start, end), stop = sip_trim(b, start, end);
	uint32_t sp, uri_end;
	enum sip_result r;

	if (stop - last < 4 || !is_sip_slash(b + last))
		return fail(m, start, SIP_ERR_NOT_SIP);
	m->is_request = true;
	sp = sip_skip(b, start, end, SIP_C_TOKEN);
	if (sp == start || sp == end || b[sp] != ' ')
		return fail(m, sp, SIP_ERR_START_LINE);
	m->method_name = sip_span_of(start, sp);
	m->method = (uint8_t)sip_method_lookup(b + start, sp - start);
	uri_end = sip_skip(b, sp + 1, end, SIP_C_URI);
	if (uri_end == sp + 1 || !sip_is(b[sp + 1], SIP_C_ALPHA))
		return fail(m, sp + 1, SIP_ERR_START_LINE);
	if (uri_end + 1 != last || b[uri_end] != ' ' || stop != end)
		return fail(m, uri_end, SIP_ERR_START_LINE);
	m->uri = sip_span_of(sp + 1, uri_end);
	r = version(b, last, end);
	return r == SIP_OK ? r : fail(m, last, r);
}

enum sip_result sip_start_line(struct sip_msg *m, uint32_t start, uint32_t end)
{
	if (end - start >= 4 && is_sip_slash(m->buf + start))
		return status_line(m, start, end);
	return request_line(m, start, end);
}
