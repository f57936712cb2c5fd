/*
 * Via: one via-parm decoded by its whole grammar, and the walk over all of a message. RFC
 * 3261 20.42, RFC 3581. Pure; any thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

/* sent-protocol = name SLASH version SLASH transport; returns the offset behind it, or 0. */
static uint32_t sent_protocol(const uint8_t *b, uint32_t i, uint32_t end, struct sip_via *via)
{
	uint32_t stop;

	for (int part = 0; part < 2; part++) {
		stop = sip_skip(b, i, end, SIP_C_TOKEN);
		if (stop == i)
			return 0;
		i = sip_separator(b, stop, end, '/');
		if (i == 0)
			return 0;
	}
	stop = sip_skip(b, i, end, SIP_C_TOKEN);
	if (stop == i)
		return 0;
	via->transport = sip_span_of(i, stop);
	return stop;
}

/* sent-by = host [ COLON port ]; returns the offset behind it, or 0. */
static uint32_t sent_by(const uint8_t *b, uint32_t i, uint32_t end, struct sip_via *via)
{
	uint32_t stop = sip_skip_host(b, i, end), port;

	if (stop == 0)
		return 0;
	via->host = sip_span_of(i, stop);
	port = sip_separator(b, stop, end, ':');
	if (port == 0)
		return stop;
	stop = sip_skip(b, port, end, SIP_C_DIGIT);
	return sip_port(b, port, stop, &via->port) < 0 ? 0 : stop;
}

/* Whether a name is the literal: its length tells most of them apart. */
#define NAME_IS(b, s, name) ((s).len == sizeof(name) - 1 && sip_span_is_nocase(b, s, name))

/* Keep what steering needs. A second one of these makes the Via malformed (7.3.1: MUST NOT appear
 * more than once), since another element might read the other one. */
static int keep_param(const uint8_t *b, const struct sip_param *p, struct sip_via *via,
		      unsigned int *seen)
{
	unsigned int bit;

	if (NAME_IS(b, p->name, "branch")) {
		bit = 1;
		via->branch = p->value;
	} else if (NAME_IS(b, p->name, "received")) {
		bit = 2;
		via->received = p->value;
		via->received_param = p->whole;
		via->has_received = true;
	} else if (NAME_IS(b, p->name, "rport")) {
		bit = 4;
		via->rport = p->value;
		via->rport_param = p->whole;
		via->has_rport = true;
	} else if (NAME_IS(b, p->name, "maddr")) {
		bit = 8;
		via->maddr = p->value;
	} else if (NAME_IS(b, p->name, "ttl")) {
		bit = 16;
		via->ttl = p->value;
	} else {
		return 0;
	}
	if (*seen & bit)
		return -EINVAL;
	*seen |= bit;
	return 0;
}

int sip_via_decode(const uint8_t *b, uint32_t i, uint32_t end, struct sip_via *via, uint32_t *next)
{
	uint32_t start = i, value_end, at, n_params = 0;
	unsigned int seen = 0;
	struct sip_param p;

	memset(via, 0, sizeof(*via));
	i = sent_protocol(b, i, end, via);
	if (i == 0 || i == end || !sip_is(b[i], SIP_C_LWS))
		return -EINVAL;
	value_end = sent_by(b, sip_skip(b, i, end, SIP_C_LWS), end, via);
	if (value_end == 0)
		return -EINVAL;
	i = sip_skip(b, value_end, end, SIP_C_LWS);
	via->value = sip_span_of(start, value_end);
	for (at = i; i < end && b[i] == ';';) {
		i = sip_param_next(b, i, end, &p);
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
	if (sip_via_decode(it->msg->buf, it->off, end, via, &next) < 0
	    || !sip_walk_take(&it->left, it->msg->buf, via->params, ';'))
		return -EINVAL;
	it->off = (uint16_t)(next == end ? end + 1 : next);
	return 1;
}
