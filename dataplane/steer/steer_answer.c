/*
 * Answers of our own: final responses built from the request, with a To tag that is a function of
 * it (RFC 3261 8.2.7), so that nothing is remembered and the ACK is known again.
 *
 * Never to an ACK, a response, or a multicast, broadcast, own or port-0 source; never 100; limited
 * per source. They go back to where the request came from.
 */
#include "dataplane/steer/steer_internal.h"

#include <string.h>

#include "sip/sip_build.h"

#define HEADERS_SIZE 512

bool steer_source_answerable(const struct steer_ctx *c)
{
	const struct steer_in *in = c->in;

	return !in->dst_multicast && in->src.port != 0 && !dp_ip_is_unanswerable(&in->src.ip)
	       && !dp_cfg_listener_at(c->cfg, &in->src);
}

/* Where an answer goes: the source, by its port when that was asked for, and for clients always; a
 * member's sent-by port otherwise (RFC 3261 18.2.2, RFC 3581 4). */
struct dp_endpoint steer_answer_to(const struct steer_ctx *c)
{
	const struct sip_via *via = &c->m->via;
	struct dp_endpoint to = c->in->src;
	struct sip_ip maddr;

	if (c->source && !via->has_rport)
		to.port = via->port ? via->port : STEER_SIP_PORT;
	if (c->service->trust_maddr && via->maddr.len
	    && sip_host_ip(c->m->buf, via->maddr, &maddr) == 0 && !dp_ip_is_unanswerable(&maddr)
	    && dp_ip_is_v4(&maddr) == dp_ip_is_v4(&to.ip))
		to.ip = maddr;
	return to;
}

int steer_answer_build(const struct steer_ctx *c, unsigned int status, const char *phrase,
		       const char *headers, uint8_t *out, size_t out_size)
{
	char tag[STEER_TO_TAG_LEN + 1], ip[46 + 1];
	struct sip_response_opts opts = {
		.reason = phrase,
		.to_tag = tag,
		.headers = headers,
		.received = ip,
		.rport = c->in->src.port,
	};

	ip[dp_ip_format(&c->in->src.ip, ip)] = '\0';
	steer_to_tag(&c->cfg->secrets[0], c->m, tag);
	return sip_build_response(out, out_size, c->m, status, &opts);
}

void steer_answer(struct steer_ctx *c, unsigned int status, const char *phrase, const char *headers,
		  enum dp_reason reason, const char *why)
{
	struct steer_verdict *v = c->v;
	int len;

	if (c->way) /* a copy that cannot be sent any more is not answered for that */
		return;
	if (c->m->method == SIP_METHOD_ACK) { /* RFC 3261 17: nothing answers an ACK */
		steer_drop(c, reason == DP_REASON_N ? DP_REASON_REQ_ACK_UNROUTABLE : reason, why);
		return;
	}
	if (!steer_source_answerable(c)) {
		steer_drop(c, DP_REASON_ANSWER_FORBIDDEN, why);
		return;
	}
	if (!c->owed && !c->in->local
	    && !steer_limits_take(c->s->limits, &c->in->src.ip, c->service->answers_per_s,
				  c->s->now_us)) {
		steer_drop(c, DP_REASON_ANSWER_LIMITED, why);
		return;
	}
	len = steer_answer_build(c, status, phrase, headers, v->answer, sizeof(v->answer));
	if (len < 0) {
		steer_drop(c, DP_REASON_SIP_MALFORMED, "no answer can be built");
		return;
	}
	v->action = STEER_ANSWER;
	v->reason = DP_REASON_N;
	if (reason == DP_REASON_REQ_RELAY) {
		v->reason = (uint8_t)reason;
		c->s->p.counters->reason[reason]++;
	}
	v->status = (uint16_t)status;
	v->answer_len = (uint16_t)len;
	v->from = c->in->listener;
	v->to = steer_answer_to(c);
	v->why = why;
	c->s->p.counters->answered++;
}

/* "Retry-After: n", n spread evenly over half to one and a half times the setting (RFC
 * 3261 20.33), so that clients don't come back all at once. */
static char *put_retry_after(struct steer_ctx *c, char *p)
{
	static const char head[] = "Retry-After: ";
	uint32_t base = c->service->retry_after_s ? c->service->retry_after_s : 1;
	uint32_t s = base - base / 2 + steer_random(c->s, base + 1);
	char digit[10];
	size_t n = 0;

	p = steer_put(p, head, sizeof(head) - 1);
	do {
		digit[n++] = (char)('0' + s % 10);
		s /= 10;
	} while (s);
	while (n)
		*p++ = digit[--n];
	p = steer_put(p, "\r\n", 2);
	*p = '\0';
	return p;
}

void steer_answer_503(struct steer_ctx *c, unsigned int status, const char *why)
{
	char headers[64];

	put_retry_after(c, headers);
	steer_answer(c, status, NULL, headers, DP_REASON_REQ_ACK_UNROUTABLE, why);
}

/* What is wrong, for the reason phrase of a 400. */
static const char *fault(enum sip_result r)
{
	switch (r) {
	case SIP_ERR_START_LINE: return "Bad Request Line";
	case SIP_ERR_NO_END: return "Header Without End";
	case SIP_ERR_HEADER_NAME: return "Bad Header Field";
	case SIP_ERR_VIA: return "Bad Via";
	case SIP_ERR_FROM: return "Bad From";
	case SIP_ERR_TO: return "Bad To";
	case SIP_ERR_CALL_ID: return "Bad Call-ID";
	case SIP_ERR_CSEQ: return "Bad CSeq";
	case SIP_ERR_CSEQ_METHOD: return "CSeq Names Another Method";
	case SIP_ERR_DUPLICATE: return "Header Field Repeated";
	case SIP_ERR_CONTENT_LENGTH: return "Bad Content-Length";
	case SIP_ERR_MAX_FORWARDS: return "Bad Max-Forwards";
	default: return NULL;
	}
}

void steer_answer_malformed(struct steer_ctx *c, enum sip_result result)
{
	enum dp_reason reason = DP_REASON_SIP_MALFORMED;
	const char *why = sip_result_name(result);
	unsigned int status = 400;

	if (result == SIP_ERR_TOO_LARGE || result == SIP_ERR_TOO_MANY_HEADERS) {
		reason = DP_REASON_SIP_TOO_LARGE;
		status = 513;
	} else if (result == SIP_ERR_VERSION) {
		status = 505;
	} else if (result == SIP_ERR_CSEQ_METHOD && c->m->method == SIP_METHOD_OTHER) {
		status = 501; /* RFC 4475 3.1.2.18 */
	}
	if (sip_msg_answerable(c->m))
		steer_answer(c, status, status == 400 ? fault(result) : NULL, NULL, reason, why);
	else
		steer_drop(c, reason, why);
}

/* Bytes of a header value on one line: folds and control characters become spaces. */
static char *put_flat(char *p, const uint8_t *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*p++ = value[i] < ' ' || value[i] == 0x7f ? ' ' : (char)value[i];
	return p;
}

/* RFC 3261 20.40: the options that are not understood: all of them. */
void steer_answer_420(struct steer_ctx *c, enum sip_hdr_id id)
{
	static const char head[] = "Unsupported: ";
	char text[HEADERS_SIZE], *p = steer_put(text, head, sizeof(head) - 1);
	const char *end = text + sizeof(text) - 3;
	bool first = true;

	for (const struct sip_hdr *h = sip_msg_hdr(c->m, id); h; h = sip_msg_hdr_next(c->m, h)) {
		if (h->value_len == 0 || h->value_len + 2 > end - p)
			continue;
		if (!first)
			p = steer_put(p, ", ", 2);
		first = false;
		p = put_flat(p, c->m->buf + h->value_off, h->value_len);
	}
	memcpy(p, "\r\n", 3);
	steer_answer(c, 420, NULL, first ? NULL : text, DP_REASON_REQ_UNROUTABLE,
		     "an extension that is not supported is required");
}

bool steer_is_own_ack(const struct steer_ctx *c)
{
	const struct sip_msg *m = c->m;
	char tag[STEER_TO_TAG_LEN + 1];

	if (m->to_tag.len != STEER_TO_TAG_LEN)
		return false;
	for (uint32_t i = 0; i < c->cfg->n_secrets; i++) {
		steer_to_tag(&c->cfg->secrets[i], m, tag);
		if (memcmp(sip_at(m, m->to_tag), tag, STEER_TO_TAG_LEN) == 0)
			return true;
	}
	return false;
}

static bool in_service(const struct steer_ctx *c)
{
	const uint16_t *pair = dp_cfg_at(c->cfg, c->service->pairs);

	for (uint32_t i = 0; i < c->service->n_pairs; i++) {
		uint64_t word = steer_word(c->s, pair[i]);

		if ((word & DP_WORD_VALID) && !(word & DP_WORD_OUT_OF_SERVICE))
			return true;
	}
	return false;
}

void steer_answer_options(struct steer_ctx *c)
{
	/* RFC 3261 11.2; a proxy leaves Allow out. */
	static const char can[] = "Accept: */*\r\n"
				  "Accept-Encoding: identity\r\n"
				  "Accept-Language: en\r\n"
				  "Supported: path\r\n";

	if (sip_msg_has(c->m, SIP_HDR_REQUIRE))
		steer_answer_420(c, SIP_HDR_REQUIRE);
	else if (in_service(c))
		steer_answer(c, 200, NULL, can, DP_REASON_N, "OPTIONS to the appliance");
	else
		steer_answer_503(c, 503, "OPTIONS to the appliance, and no pair is in service");
}
