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
static uint32_t param_or_nothing(const uint8_t *b, uint32_t i, uint32_t end, struct sip_param *p)
{
	uint32_t at = sip_skip(b, i + 1, end, SIP_C_LWS);

	if (at == end || b[at] == ';') {
		p->name.len = 0;
		return at;
	}
	return sip_param_next(b, i, end, p);
}

bool sip_param_find(const uint8_t *buf, struct sip_span params, const char *name,
		    struct sip_span *value)
{
	uint32_t i = params.off, end = sip_span_end(params);
	struct sip_param p;

	while (i < end && buf[i] == ';') {
		i = param_or_nothing(buf, i, end, &p);
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

/* Whether [i, end) can be an absolute URI: a scheme, a colon, something behind it, no white space.
 */
static bool looks_like_uri(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t colon = i;

	if (i == end || !sip_is(b[i], SIP_C_ALPHA))
		return false;
	while (colon < end && b[colon] != ':' && sip_is(b[colon], SIP_C_TOKEN))
		colon++;
	return colon + 1 < end && b[colon] == ':' && sip_skip(b, colon, end, SIP_C_URI) == end;
}

/* Behind the display name: at '<', or at the end of what can only be an addr-spec (';' or end).
 * NOWHERE: an open quote, or a comma outside quotes, where another element could see two values
 * (RFC 4475 3.1.2.15). */
static uint32_t skip_display(const uint8_t *b, uint32_t i, uint32_t end)
{
	bool comma = false;

	while (i < end && b[i] != '<' && b[i] != ';') {
		if (b[i] == '"') {
			i = sip_skip_quoted(b, i, end);
			if (i == 0)
				return NOWHERE;
		} else {
			comma |= b[i] == ',';
			i++;
		}
	}
	return comma && i < end && b[i] == '<' ? NOWHERE : i;
}

/* All of them must be good: behind a malformed one, others might see a tag where we see none. */
static int set_params(const uint8_t *b, uint32_t i, uint32_t end, struct sip_addr *addr)
{
	uint32_t n_params = 0;
	struct sip_param p;

	i = sip_skip(b, i, end, SIP_C_LWS);
	addr->params = sip_span_of(i, end);
	while (i < end && b[i] == ';') {
		i = param_or_nothing(b, i, end, &p);
		if (i == 0 || ++n_params > SIP_WALK_MAX)
			return -EINVAL;
	}
	return i == end ? 0 : -EINVAL;
}

static int name_addr(const uint8_t *b, uint32_t start, uint32_t angle, uint32_t end,
		     struct sip_addr *addr)
{
	const uint8_t *close = memchr(b + angle, '>', end - angle);
	uint32_t uri, stop;

	if (!close)
		return -EINVAL;
	addr->display = sip_span_of(start, sip_trim(b, start, angle));
	stop = (uint32_t)(close - b);
	uri = sip_skip(b, angle + 1, stop, SIP_C_LWS);
	addr->uri = sip_span_of(uri, sip_trim(b, uri, stop));
	if (!looks_like_uri(b, uri, sip_span_end(addr->uri)))
		return -EINVAL;
	return set_params(b, stop + 1, end, addr);
}

int sip_addr_parse(const uint8_t *buf, struct sip_span s, struct sip_addr *addr)
{
	uint32_t end = sip_trim(buf, s.off, sip_span_end(s));
	uint32_t start = sip_skip(buf, s.off, end, SIP_C_LWS);
	uint32_t i = skip_display(buf, start, end), stop;

	memset(addr, 0, sizeof(*addr));
	addr->whole = sip_span_of(start, end);
	if (i == NOWHERE || start == end)
		return -EINVAL;
	if (i < end && buf[i] == '<')
		return name_addr(buf, start, i, end, addr);
	stop = sip_trim(buf, start, i);
	addr->uri = sip_span_of(start, stop);
	if (!looks_like_uri(buf, start, stop))
		return -EINVAL;
	return set_params(buf, stop, end, addr);
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

uint32_t sip_list_elem_end(const uint8_t *b, uint32_t i, uint32_t end)
{
	while (i < end && b[i] != ',') {
		if (b[i] == '"') {
			i = sip_skip_quoted(b, i, end);
			if (i == 0)
				return 0;
		} else if (b[i] == '<') {
			const uint8_t *close = memchr(b + i, '>', end - i);

			if (!close)
				return 0;
			i = (uint32_t)(close - b) + 1;
		} else {
			i++;
		}
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
	struct sip_span elem;
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
	stop = sip_list_elem_end(it->msg->buf, it->off, end);
	if (stop == 0)
		return -EINVAL;
	elem = sip_span_of(it->off, stop);
	if (!sip_walk_take(&it->left, it->msg->buf, elem, ';'))
		return -EINVAL;
	if (!(it->id == SIP_HDR_CONTACT && is_star(it->msg->buf, elem, addr))
	    && sip_addr_parse(it->msg->buf, elem, addr) < 0)
		return -EINVAL;
	it->off = (uint16_t)(stop + 1);
	return 1;
}
