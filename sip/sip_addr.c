/*
 * name-addr and addr-spec with their parameters, parameters by name, and comma lists of them. RFC
 * 3261 20.10, 25.1. Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

#define NOWHERE UINT32_MAX

/* As sip_param_next(), but between two ';' and behind the last one there may be nothing: a
 * parameter without a name. */
static uint32_t param_or_nothing(struct sip_text *t, uint32_t i, uint32_t end, struct sip_param *p)
{
	uint32_t at = sip_skip_lws(t->b, i + 1, end);

	if (at == end || t->b[at] == ';') {
		p->name.len = 0;
		return at;
	}
	return sip_param_next(t, i, end, p);
}

bool sip_param_find(const uint8_t *buf, struct sip_span params, const char *name,
		    struct sip_span *value)
{
	uint32_t i = params.off, end = sip_span_end(params);
	struct sip_text t = sip_text_of(buf, end);
	struct sip_param p;

	while (i < end && buf[i] == ';') {
		i = param_or_nothing(&t, i, end, &p);
		if (i == 0)
			return false;
		if (sip_span_is_nocase(buf, p.name, name)) {
			if (value)
				*value = p.value;
			return true;
		}
	}
	return false;
}

/* Whether a span can be an absolute URI: a scheme, a colon, something behind it, no white space. */
static bool looks_like_uri(struct sip_text *t, struct sip_span s)
{
	uint32_t i = s.off, end = sip_span_end(s), colon;
	const uint8_t *b = t->b;

	if (sip_skip_words(t, i, end, SIP_C_URI) != end)
		return false;
	if (s.len > 4 && sip_is_sip_colon(b + i))
		return true;
	if (s.len == 0 || !sip_is(b[i], SIP_C_ALPHA))
		return false;
	colon = sip_skip_words(t, i, end, SIP_C_TOKEN);
	return colon + 1 < end && b[colon] == ':';
}

/* Behind the display name: at '<', or at the end of what can only be an addr-spec (';' or end).
 * NOWHERE: an open quote, too many strings, or a comma outside quotes, where another element could
 * see two values (RFC 4475 3.1.2.15). */
static uint32_t skip_display(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t quoted = 0;
	bool comma = false;

	for (uint32_t n = 1; i < end && b[i] != '<' && b[i] != ';'; n++) {
		if (n % 16 == 0) { /* a long one */
			i = sip_find_far(b, i, end, comma ? SIP_UNTIL_ANGLE : SIP_UNTIL_DISPLAY);
			continue;
		}
		if (b[i] == '"') {
			i = quoted++ < SIP_WALK_MAX ? sip_skip_quoted(b, i, end) : 0;
			if (i == 0)
				return NOWHERE;
		} else {
			comma |= b[i] == ',';
			i++;
		}
	}
	return comma && i < end && b[i] == '<' ? NOWHERE : i;
}

static bool is_tag(const uint8_t *b, struct sip_span name)
{
	b += name.off;
	return name.len == 3 && sip_lower(b[0]) == 't' && sip_lower(b[1]) == 'a'
	       && sip_lower(b[2]) == 'g';
}

/* All of them must be good: behind a malformed one, others might see a tag where we see none. */
static int set_params(struct sip_text *t, uint32_t i, uint32_t end, struct sip_addr *addr,
		      struct sip_span *tag)
{
	uint32_t n_params = 0;
	struct sip_param p;
	bool found = false;

	i = sip_skip_lws(t->b, i, end);
	addr->params = sip_span_of(i, end);
	while (i < end && t->b[i] == ';') {
		i = param_or_nothing(t, i, end, &p);
		if (i == 0 || ++n_params > SIP_WALK_MAX)
			return -EINVAL;
		if (!found && is_tag(t->b, p.name)) {
			*tag = p.value;
			found = true;
		}
	}
	return i == end ? 0 : -EINVAL;
}

static int name_addr(struct sip_text *t, uint32_t start, uint32_t angle, uint32_t end,
		     struct sip_addr *addr, struct sip_span *tag)
{
	const uint8_t *b = t->b;
	uint32_t uri = angle + 1, stop = sip_skip_words(t, uri, end, SIP_C_URI);

	addr->display = sip_span_of(start, sip_trim(b, start, angle));
	if (stop < end && b[stop] == '>') {
		addr->uri = sip_span_of(uri, stop);
	} else { /* white space around it, or it is malformed */
		const uint8_t *close = memchr(b + angle, '>', end - angle);

		if (!close)
			return -EINVAL;
		stop = (uint32_t)(close - b);
		uri = sip_skip(b, uri, stop, SIP_C_LWS);
		addr->uri = sip_span_of(uri, sip_trim(b, uri, stop));
	}
	if (!looks_like_uri(t, addr->uri))
		return -EINVAL;
	return set_params(t, stop + 1, end, addr, tag);
}

int sip_addr_decode(struct sip_text *t, uint32_t i, uint32_t end, struct sip_addr *addr,
		    struct sip_span *tag)
{
	uint32_t start, stop;

	end = sip_trim(t->b, i, end);
	start = sip_skip_lws(t->b, i, end);
	i = skip_display(t->b, start, end);
	memset(addr, 0, sizeof(*addr));
	*tag = (struct sip_span){ 0, 0 };
	addr->whole = sip_span_of(start, end);
	if (i == NOWHERE || start == end)
		return -EINVAL;
	if (i < end && t->b[i] == '<')
		return name_addr(t, start, i, end, addr, tag);
	stop = sip_trim(t->b, start, i);
	addr->uri = sip_span_of(start, stop);
	if (!looks_like_uri(t, addr->uri))
		return -EINVAL;
	return set_params(t, stop, end, addr, tag);
}

int sip_addr_parse(const uint8_t *buf, struct sip_span s, struct sip_addr *addr)
{
	struct sip_text t = sip_text_of(buf, sip_span_end(s));
	struct sip_span tag;

	return sip_addr_decode(&t, s.off, sip_span_end(s), addr, &tag);
}

/* Contact = STAR (20.10). */
static bool is_star(const uint8_t *b, struct sip_span s, struct sip_addr *addr)
{
	uint32_t end = sip_trim(b, s.off, sip_span_end(s));
	uint32_t start = sip_skip(b, s.off, end, SIP_C_LWS);

	if (end - start != 1 || b[start] != '*')
		return false;
	memset(addr, 0, sizeof(*addr));
	addr->whole = sip_span_of(start, end);
	addr->uri = addr->whole;
	return true;
}

/* Behind the '>' of the '<' at i, or 0. */
static uint32_t skip_angles(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t near = end - i > 16 ? i + 16 : end;
	const uint8_t *close;

	while (++i < near)
		if (b[i] == '>')
			return i + 1;
	close = memchr(b + near, '>', end - near);
	return close ? (uint32_t)(close - b) + 1 : 0;
}

uint32_t sip_list_elem_end(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t quoted = 0;

	for (uint32_t n = 1; i < end && b[i] != ','; n++) {
		if (b[i] == '"')
			i = quoted++ < SIP_WALK_MAX ? sip_skip_quoted(b, i, end) : 0;
		else if (b[i] == '<')
			i = skip_angles(b, i, end);
		else if (n % 16 == 0) /* a long one */
			i = sip_find_far(b, i, end, SIP_UNTIL_ELEMENT);
		else
			i++;
		if (i == 0)
			return 0;
	}
	return i;
}

void sip_addr_iter_init(struct sip_addr_iter *it, const struct sip_msg *m, enum sip_hdr_id id)
{
	it->msg = m;
	it->id = (uint8_t)id;
	it->hdr = sip_msg_hdr(m, id);
	it->off = it->hdr ? it->hdr->value_off : 0;
	it->left = SIP_WALK_MAX;
}

int sip_addr_iter_next(struct sip_addr_iter *it, struct sip_addr *addr)
{
	struct sip_text t = sip_text_of(it->msg->buf, it->msg->len);
	struct sip_span elem, tag;
	uint32_t end, stop;

	if (!it->hdr)
		return 0;
	end = sip_hdr_value_end(it->hdr);
	if (it->off > end) { /* behind the last comma: the header is done */
		it->hdr = sip_msg_hdr_next(it->msg, it->hdr);
		if (!it->hdr)
			return 0;
		it->off = it->hdr->value_off;
		end = sip_hdr_value_end(it->hdr);
	}
	stop = sip_list_elem_end(t.b, it->off, end);
	if (stop == 0)
		return -EINVAL;
	elem = sip_span_of(it->off, stop);
	if (!sip_walk_take(&it->left, it->msg->buf, elem, ';'))
		return -EINVAL;
	if (!(it->id == SIP_HDR_CONTACT && is_star(it->msg->buf, elem, addr))
	    && sip_addr_decode(&t, it->off, stop, addr, &tag) < 0)
		return -EINVAL;
	it->off = (uint16_t)(stop + 1);
	return 1;
}
