/*
 * URIs and hosts. RFC 3261 19.1, 25.1; RFC 3966 (tel); RFC 2141 and 5031 (urn). Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

static enum sip_scheme scheme_of(const uint8_t *b, uint32_t i, uint32_t colon)
{
	struct sip_span s = sip_span_of(i, colon);

	if (sip_span_is_nocase(b, s, "sip"))
		return SIP_SCHEME_SIP;
	if (sip_span_is_nocase(b, s, "sips"))
		return SIP_SCHEME_SIPS;
	if (sip_span_is_nocase(b, s, "tel"))
		return SIP_SCHEME_TEL;
	if (sip_span_is_nocase(b, s, "urn"))
		return SIP_SCHEME_URN;
	return SIP_SCHEME_OTHER;
}

/* The scheme's colon, or 0. */
static uint32_t scheme_end(const uint8_t *b, uint32_t i, uint32_t end)
{
	if (i == end || !sip_is(b[i], SIP_C_ALPHA))
		return 0;
	while (i < end
	       && (sip_is(b[i], SIP_C_ALPHA | SIP_C_DIGIT) || b[i] == '+' || b[i] == '-'
		   || b[i] == '.'))
		i++;
	return i < end && b[i] == ':' ? i : 0;
}

static bool escapes_good(const uint8_t *b, uint32_t i, uint32_t end)
{
	for (; i < end; i++)
		if (b[i] == '%'
		    && (end - i < 3 || !sip_is(b[i + 1], SIP_C_HEX)
			|| !sip_is(b[i + 2], SIP_C_HEX)))
			return false;
	return true;
}

/* userinfo [i, at) without its '@'. */
static int userinfo(const uint8_t *b, uint32_t i, uint32_t at, struct sip_uri *uri)
{
	const uint8_t *colon = memchr(b + i, ':', at - i);
	uint32_t stop = colon ? (uint32_t)(colon - b) : at;

	uri->has_user = true;
	uri->user = sip_span_of(i, stop);
	if (colon)
		uri->password = sip_span_of(stop + 1, at);
	return escapes_good(b, i, at) ? 0 : -EINVAL;
}

/* hostport uri-parameters [ headers ] */
static int hostport(const uint8_t *b, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	uint32_t stop = sip_skip_host(b, i, end);

	if (stop == 0)
		return -EINVAL;
	uri->host = sip_span_of(i, stop);
	if (stop < end && b[stop] == ':') {
		i = stop + 1;
		stop = sip_skip(b, i, end, SIP_C_DIGIT);
		if (sip_port(b, i, stop, &uri->port) < 0)
			return -EINVAL;
	}
	if (stop < end && b[stop] == ';') {
		const uint8_t *query = memchr(b + stop, '?', end - stop);
		uint16_t left = SIP_WALK_MAX;

		i = stop;
		stop = query ? (uint32_t)(query - b) : end;
		uri->params = sip_span_of(i, stop);
		if (!sip_walk_take(&left, b, uri->params, ';'))
			return -EINVAL;
	}
	if (stop < end && b[stop] == '?') {
		uri->headers = sip_span_of(stop + 1, end);
		stop = end;
	}
	return stop == end ? 0 : -EINVAL;
}

static int sip_or_sips(const uint8_t *b, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	const uint8_t *at = memchr(b + i, '@', end - i);

	if (at) {
		if (userinfo(b, i, (uint32_t)(at - b), uri) < 0)
			return -EINVAL;
		i = (uint32_t)(at - b) + 1;
		if (memchr(b + i, '@', end - i))
			return -EINVAL;
	}
	return hostport(b, i, end, uri);
}

static void tel(const uint8_t *b, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	const uint8_t *semi = memchr(b + i, ';', end - i);
	uint32_t stop = semi ? (uint32_t)(semi - b) : end;

	uri->user = sip_span_of(i, stop);
	if (semi)
		uri->params = sip_span_of(stop, end);
}

int sip_uri_parse(const uint8_t *buf, struct sip_span s, struct sip_uri *uri)
{
	uint32_t end = sip_span_end(s), colon = scheme_end(buf, s.off, end);

	memset(uri, 0, sizeof(*uri));
	uri->whole = s;
	if (colon == 0 || colon + 1 == end || sip_skip(buf, colon, end, SIP_C_URI) != end)
		return -EINVAL;
	uri->scheme = scheme_of(buf, s.off, colon);
	switch (uri->scheme) {
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS: return sip_or_sips(buf, colon + 1, end, uri);
	case SIP_SCHEME_TEL: tel(buf, colon + 1, end, uri); return uri->user.len ? 0 : -EINVAL;
	case SIP_SCHEME_URN: uri->user = sip_span_of(colon + 1, end); return 0;
	case SIP_SCHEME_OTHER: break;
	}
	return 0;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return sip_lower(c) - 'a' + 10;
}

/* The byte at *i, its %-escape decoded; moves *i behind it. */
static uint8_t unescape(const uint8_t *b, uint32_t *i, uint32_t end)
{
	uint8_t c = b[*i];

	if (c == '%' && end - *i >= 3 && sip_is(b[*i + 1], SIP_C_HEX)
	    && sip_is(b[*i + 2], SIP_C_HEX)) {
		c = (uint8_t)(hex_value(b[*i + 1]) * 16 + hex_value(b[*i + 2]));
		*i += 2;
	}
	*i += 1;
	return c;
}

bool sip_user_equal(const uint8_t *a, struct sip_span as, const uint8_t *b, struct sip_span bs)
{
	uint32_t i = as.off, j = bs.off, a_end = sip_span_end(as), b_end = sip_span_end(bs);

	while (i < a_end && j < b_end)
		if (unescape(a, &i, a_end) != unescape(b, &j, b_end))
			return false;
	return i == a_end && j == b_end;
}
