/*
 * Via: one via-parm decoded by its whole grammar, and the walk over all of a message. RFC
 * 3261 20.42, RFC 3581. Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

/* A token and the SLASH behind it; returns the offset behind both, or 0. */
static uint32_t token_slash(struct sip_text *t, uint32_t i, uint32_t end)
{
	uint32_t stop = sip_skip_words(t, i, end, SIP_C_TOKEN);

	return stop == i ? 0 : sip_separator(t->b, stop, end, '/');
}

/* sent-protocol = name SLASH version SLASH transport; returns the offset behind it, or 0. */
static uint32_t sent_protocol(struct sip_text *t, uint32_t i, uint32_t end, struct sip_via *via)
{
	uint32_t stop;

	if (end - i > 8 && sip_load64(t->b + i) == sip_load64("SIP/2.0/")) {
		i = sip_skip_lws(t->b, i + 8, end);
	} else {
		i = token_slash(t, i, end);
		if (i > 0)
			i = token_slash(t, i, end);
		if (i == 0)
			return 0;
	}
	stop = sip_skip_words(t, i, end, SIP_C_TOKEN);
	if (stop == i)
		return 0;
	via->transport = sip_span_of(i, stop);
	return stop;
}

/* sent-by = host [ COLON port ]; returns the offset behind it, or 0. */
static uint32_t sent_by(struct sip_text *t, uint32_t i, uint32_t end, struct sip_via *via)
{
	uint32_t stop = sip_skip_host(t, i, end), port;

	if (stop == 0)
		return 0;
	via->host = sip_span_of(i, stop);
	port = sip_separator(t->b, stop, end, ':');
	return port == 0 ? stop : sip_port(t->b, port, end, &via->port);
}

/* Names of the parameters that steering needs, four letters and what follows. */
#define WORD4(name) sip_load32(name)

static bool tail_is(const uint8_t *b, const char *tail, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (sip_lower(b[i]) != (uint8_t)tail[i])
			return false;
	return true;
}

enum via_param { OTHER_PARAM, BRANCH = 1, RECEIVED = 2, RPORT = 4, MADDR = 8, TTL = 16 };

/* A letter's case is one bit, which no other byte of a parameter name becomes a letter by. */
static enum via_param which_param(const uint8_t *b, struct sip_span name)
{
	uint32_t first;

	if (name.len < 4)
		return name.len == 3 && tail_is(b + name.off, "ttl", 3) ? TTL : OTHER_PARAM;
	first = sip_load32(b + name.off) | 0x20202020;
	b += name.off + 4;
	if (name.len == 6 && first == WORD4("bran") && tail_is(b, "ch", 2))
		return BRANCH;
	if (name.len == 5 && first == WORD4("rpor") && tail_is(b, "t", 1))
		return RPORT;
	if (name.len == 8 && first == WORD4("rece") && tail_is(b, "ived", 4))
		return RECEIVED;
	if (name.len == 5 && first == WORD4("madd") && tail_is(b, "r", 1))
		return MADDR;
	return OTHER_PARAM;
}

/* Keep what steering needs. A second one of these makes the Via malformed (7.3.1: MUST NOT appear
 * more than once), since another element might read the other one. */
static int keep_param(const uint8_t *b, const struct sip_param *p, struct sip_via *via,
		      unsigned int *seen)
{
	enum via_param which = which_param(b, p->name);

	switch (which) {
	case OTHER_PARAM: return 0;
	case BRANCH: via->branch = p->value; break;
	case RECEIVED:
		via->received = p->value;
		via->received_param = p->whole;
		via->has_received = true;
		break;
	case RPORT:
		via->rport = p->value;
		via->rport_param = p->whole;
		via->has_rport = true;
		break;
	case MADDR: via->maddr = p->value; break;
	case TTL: via->ttl = p->value; break;
	}
	if (*seen & which)
		return -EINVAL;
	*seen |= which;
	return 0;
}

int sip_via_decode(struct sip_text *t, uint32_t i, uint32_t end, struct sip_via *via,
		   uint32_t *next)
{
	uint32_t start = i, value_end, at, n_params = 0;
	const uint8_t *b = t->b;
	unsigned int seen = 0;
	struct sip_param p;

	memset(via, 0, sizeof(*via));
	i = sent_protocol(t, i, end, via);
	if (i == 0 || i == end || !sip_is(b[i], SIP_C_LWS))
		return -EINVAL;
	value_end = sent_by(t, sip_skip_lws(b, i + 1, end), end, via);
	if (value_end == 0)
		return -EINVAL;
	i = sip_skip_lws(b, value_end, end);
	via->value = sip_span_of(start, value_end);
	for (at = i; i < end && b[i] == ';';) {
		i = sip_param_next(t, i, end, &p);
		if (i == 0 || ++n_params > SIP_WALK_MAX || keep_param(b, &p, via, &seen) < 0)
			return -EINVAL;
		value_end = sip_span_end(p.whole);
		via->value = sip_span_of(start, value_end);
		via->params = sip_span_of(at, value_end);
	}
	*next = end;
	if (i == end)
		return 0;
	*next = sip_separator(b, i, end, ',');
	return *next == 0 || *next == end ? -EINVAL : 0;
}

void sip_via_iter_init(struct sip_via_iter *it, const struct sip_msg *m)
{
	it->msg = m;
	it->hdr = sip_msg_hdr(m, SIP_HDR_VIA);
	it->off = it->hdr ? it->hdr->value_off : 0;
	it->left = SIP_WALK_MAX;
}

int sip_via_iter_next(struct sip_via_iter *it, struct sip_via *via)
{
	struct sip_text t = sip_text_of(it->msg->buf, it->msg->len);
	uint32_t end, next;

	if (!it->hdr)
		return 0;
	end = sip_hdr_value_end(it->hdr);
	if (it->off > end) { /* the header is done */
		it->hdr = sip_msg_hdr_next(it->msg, it->hdr);
		if (!it->hdr)
			return 0;
		it->off = it->hdr->value_off;
		end = sip_hdr_value_end(it->hdr);
	}
	if (sip_via_decode(&t, it->off, end, via, &next) < 0
	    || !sip_walk_take(&it->left, it->msg->buf, via->params, ';'))
		return -EINVAL;
	it->off = (uint16_t)(next == end ? end + 1 : next);
	return 1;
}

bool sip_via_plain(const struct sip_msg *m, const struct sip_hdr *h, struct sip_via *via)
{
	return sip_scan_chosen->via(m, h, via);
}
