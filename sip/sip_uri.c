/*
 * URIs and hosts. RFC 3261 19.1, 25.1; RFC 3966 (tel); RFC 2141 and 5031 (urn). Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool is_scheme_mark(uint8_t c)
{
	return c == '+' || c == '-' || c == '.';
}

static enum sip_scheme scheme_of(const uint8_t *b, struct sip_span s)
{
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
	while (i < end && (sip_is(b[i], SIP_C_ALPHA | SIP_C_DIGIT) || is_scheme_mark(b[i])))
		i++;
	return i < end && b[i] == ':' ? i : 0;
}

static bool escapes_good(const uint8_t *b, uint32_t i, uint32_t end)
{
	const uint8_t *p;

	while ((p = memchr(b + i, '%', end - i))) {
		if (b + end - p < 3 || !sip_is(p[1], SIP_C_HEX) || !sip_is(p[2], SIP_C_HEX))
			return false;
		i = (uint32_t)(p - b) + 3;
	}
	return true;
}

/* hostport uri-parameters [ headers ]; bytes behind the port may be no URI's. */
static int hostport(struct sip_text *t, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	uint32_t stop = sip_skip_host(t, i, end);
	const uint8_t *b = t->b;

	if (stop == 0)
		return -EINVAL;
	uri->host = sip_span_of(i, stop);
	if (stop < end && b[stop] == ':') {
		stop = sip_port(b, stop + 1, end, &uri->port);
		if (stop == 0)
			return -EINVAL;
	}
	if (stop == end)
		return 0;
	if (sip_skip_words(t, stop, end, SIP_C_URI) != end || memchr(b + stop, '@', end - stop))
		return -EINVAL;
	if (b[stop] == ';') {
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

/* What is found on the way to a userinfo's '@'. */
struct userinfo {
	uint32_t colon; /* the first, or 0 */
	bool escapes;
};

/* The '@' in [i, end), or end when there is none before a byte that is in no URI. */
static uint32_t find_at(struct sip_text *t, uint32_t i, uint32_t end, struct userinfo *u)
{
	const uint8_t *b = t->b, *at, *colon;

	for (int jumps = 0; jumps < SIP_JUMPS; jumps++) {
		uint32_t stop = sip_word_end(t, i, end);

		if (stop == end || b[stop] == '@')
			return stop;
		if (!sip_is(b[stop], SIP_C_URI))
			return end;
		if (b[stop] == ':' && u->colon == 0)
			u->colon = stop;
		u->escapes |= b[stop] == '%';
		i = stop + 1;
	}
	at = memchr(b + i, '@', end - i);
	if (!at || sip_skip_far(b, i, end, SIP_C_URI) < (uint32_t)(at - b))
		return end;
	u->escapes = true; /* perhaps */
	colon = u->colon ? NULL : memchr(b + i, ':', (size_t)(at - b) - i);
	if (colon)
		u->colon = (uint32_t)(colon - b);
	return (uint32_t)(at - b);
}

static int sip_or_sips(struct sip_text *t, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	struct userinfo u = { 0, false };
	uint32_t at = find_at(t, i, end, &u);

	if (at < end) {
		uri->has_user = true;
		uri->user = sip_span_of(i, u.colon ? u.colon : at);
		if (u.colon)
			uri->password = sip_span_of(u.colon + 1, at);
		if (u.escapes && !escapes_good(t->b, i, at))
			return -EINVAL;
		i = at + 1;
	}
	return hostport(t, i, end, uri);
}

static void tel(const uint8_t *b, uint32_t i, uint32_t end, struct sip_uri *uri)
{
	const uint8_t *semi = memchr(b + i, ';', end - i);
	uint32_t stop = semi ? (uint32_t)(semi - b) : end;

	uri->user = sip_span_of(i, stop);
	if (semi)
		uri->params = sip_span_of(stop, end);
}

static int decode(struct sip_text *t, struct sip_span s, struct sip_uri *uri)
{
	uint32_t end = sip_span_end(s), colon;
	const uint8_t *b = t->b;

	*uri = (struct sip_uri){ .scheme = SIP_SCHEME_SIP, .whole = s };
	if (s.len > 4 && sip_is_sip_colon(b + s.off))
		return sip_or_sips(t, s.off + 4, end, uri);
	colon = scheme_end(b, s.off, end);
	if (colon == 0 || colon + 1 == end || sip_skip_words(t, colon, end, SIP_C_URI) != end)
		return -EINVAL;
	uri->scheme = scheme_of(b, sip_span_of(s.off, colon));
	switch (uri->scheme) {
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS: return sip_or_sips(t, colon + 1, end, uri);
	case SIP_SCHEME_TEL: tel(b, colon + 1, end, uri); return uri->user.len ? 0 : -EINVAL;
	case SIP_SCHEME_URN: uri->user = sip_span_of(colon + 1, end); return 0;
	case SIP_SCHEME_OTHER: break;
	}
	return 0;
}

int sip_uri_parse(const uint8_t *buf, struct sip_span s, struct sip_uri *uri)
{
	struct sip_text t = sip_text_of(buf, sip_span_end(s));

	return decode(&t, s, uri);
}

int sip_msg_uri(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri)
{
	struct sip_text t = sip_text_of(m->buf, m->len);

	return decode(&t, s, uri);
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
