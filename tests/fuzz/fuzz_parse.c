/*
 * sip_msg_parse() on anything; what it accepts hangs together, parses again alike when cut to its
 * length, and can be answered, ACKed and cancelled with messages that parse.
 */
#include "sip/sip_build.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint8_t out[SIP_MSG_MAX];

/* A view of the message cut where Content-Length ends it says the same. */
static void parse_again(const struct sip_msg *m)
{
	static struct sip_msg again;
	uint8_t *copy = malloc(m->len);

	memcpy(copy, m->buf, m->len);
	assert(sip_msg_parse(&again, copy, m->len) == SIP_OK);
	assert(again.len == m->len && again.n_hdrs == m->n_hdrs && again.present == m->present);
	assert(memcmp(again.hdr, m->hdr, m->n_hdrs * sizeof(m->hdr[0])) == 0);
	assert(memcmp(&again.via, &m->via, sizeof(m->via)) == 0);
	free(copy);
}

static bool same_text(const struct sip_msg *a, struct sip_span as, const struct sip_msg *b,
		      struct sip_span bs)
{
	return as.len == bs.len
	       && (as.len == 0 || memcmp(sip_at(a, as), sip_at(b, bs), as.len) == 0);
}

/* Whether there is "tag" anywhere, in any case. */
static bool holds_tag(const struct sip_msg *m)
{
	for (size_t i = 0; i + 3 <= m->len; i++)
		if (strncasecmp((const char *)m->buf + i, "tag", 3) == 0)
			return true;
	return false;
}

static void answer(const struct sip_msg *m, enum sip_result result)
{
	static const struct sip_response_opts opts = { .to_tag = "our-tag",
						       .headers = "Retry-After: 5\r\n",
						       .received = "2001:db8::1",
						       .rport = 5060 };
	int len = sip_build_response(out, sizeof(out), m, 503, &opts);
	static struct sip_msg resp;

	assert(len != -EINVAL);
	if (len < 0 || result != SIP_OK || m->n_hdrs > SIP_HDR_MAX - 2)
		return;
	assert(sip_msg_parse(&resp, out, (size_t)len) == SIP_OK);
	assert(resp.status == 503 && resp.cseq == m->cseq && resp.method == m->method);
	assert(same_text(&resp, resp.call_id, m, m->call_id));
	assert(same_text(&resp, resp.from_tag, m, m->from_tag));
	assert(same_text(&resp, resp.via.branch, m, m->via.branch));
	assert(sip_span_is(out, resp.via.received, "2001:db8::1"));
	assert(sip_span_is(out, resp.via.rport, "5060"));
	/* A tag without a value is left where it is, and then still the first one. */
	assert(resp.to_tag.len > 0 || m->to_tag.len == 0);
	if (!holds_tag(m))
		assert(resp.to_tag.len > 0);
	fuzz_walk(&resp, SIP_OK, (size_t)len);
}

static void ack_and_cancel(const struct sip_msg *m)
{
	static struct sip_msg made;
	int len = sip_build_ack(out, sizeof(out), m, m);

	if (len > 0) {
		assert(sip_msg_parse(&made, out, (size_t)len) == SIP_OK);
		assert(made.method == SIP_METHOD_ACK && made.cseq == m->cseq);
	}
	len = sip_build_cancel(out, sizeof(out), m);
	if (len > 0) {
		assert(sip_msg_parse(&made, out, (size_t)len) == SIP_OK);
		assert(made.method == SIP_METHOD_CANCEL && made.cseq == m->cseq);
		assert(same_text(&made, made.uri, m, m->uri));
		assert(same_text(&made, made.via.value, m, m->via.value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sip_msg m;
	enum sip_result result = sip_msg_parse(&m, data, size);

	fuzz_walk(&m, result, size);
	if (result == SIP_OK)
		parse_again(&m);
	if (sip_msg_answerable(&m))
		answer(&m, result);
	if (result == SIP_OK && m.is_request && m.method == SIP_METHOD_INVITE)
		ack_and_cancel(&m);
	return 0;
}
