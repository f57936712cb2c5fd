/*
 * The edits that write text of their own: received and rport in the top Via, Max-Forwards. Pure;
 * any thread.
 */
#include "sip/sip_edit.h"
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

#define IP_TEXT_MAX 45 /* bytes of the longest IPv6 text, an IPv4 tail included */

static uint16_t put(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	return (uint16_t)len;
}

int sip_edit_via_received(struct sip_edits *es, const struct sip_msg *m, char *text, const char *ip,
			  size_t ip_len, uint16_t port)
{
	const struct sip_via *v = &m->via;
	struct sip_span at = v->received_param, rport = v->rport_param;
	uint16_t received_len, len;
	int r;

	if (!(m->decoded & SIP_DECODED_VIA) || ip_len == 0 || ip_len > IP_TEXT_MAX)
		return -EINVAL;
	len = put(text, ";received=", 10);
	len = (uint16_t)(len + put(text + len, ip, ip_len));
	received_len = len;
	len = (uint16_t)(len + put(text + len, ";rport=", 7));
	len = (uint16_t)(len + sip_put_u32(text + len, port));
	if (v->has_received && v->has_rport) {
		struct sip_edits before = *es;

		r = sip_edit_replace(es, at, text, received_len);
		if (r == 0)
			r = sip_edit_replace(es, rport, text + received_len,
					     (uint16_t)(len - received_len));
		if (r < 0)
			*es = before;
		return r;
	}
	if (v->has_rport)
		at = rport;
	else if (!v->has_received)
		at = (struct sip_span){ (uint16_t)sip_span_end(v->value), 0 };
	return sip_edit_replace(es, at, text, len);
}

int sip_edit_max_forwards(struct sip_edits *es, const struct sip_msg *m, char *text, uint32_t value)
{
	static const char name[] = "Max-Forwards: ";
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_MAX_FORWARDS);
	const struct sip_hdr *via = sip_msg_hdr(m, SIP_HDR_VIA);
	uint16_t len = 0;

	if (h) {
		len = sip_put_u32(text, value);
		return sip_edits_add(es, h->value_off, h->value_len, text, len);
	}
	if (!via)
		return -EINVAL;
	len = put(text, name, sizeof(name) - 1);
	len = (uint16_t)(len + sip_put_u32(text + len, value));
	len = (uint16_t)(len + put(text + len, "\r\n", 2));
	return sip_edits_add(es, sip_hdr_end(m, via), 0, text, len);
}
