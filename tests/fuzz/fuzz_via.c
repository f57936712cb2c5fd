/*
 * A Via value, or a list of them: decoding, popping, received and rport.
 */
#include "sip/sip_edit.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wrap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IP "2001:db8::fe"

static bool same(const struct sip_msg *a, struct sip_span as, const struct sip_msg *b,
		 struct sip_span bs)
{
	return as.len == bs.len
	       && (as.len == 0 || memcmp(sip_at(a, as), sip_at(b, bs), as.len) == 0);
}

static void expect_same_via(const struct sip_msg *a, const struct sip_via *x,
			    const struct sip_msg *b, const struct sip_via *y)
{
	assert(same(a, x->transport, b, y->transport) && same(a, x->host, b, y->host));
	assert(x->port == y->port && same(a, x->branch, b, y->branch));
	assert(same(a, x->maddr, b, y->maddr) && same(a, x->ttl, b, y->ttl));
}

/* The value alone in a message of its own is the same Via. */
static void parse_alone(const struct sip_msg *m, const struct sip_via *via)
{
	uint8_t *text = malloc((size_t)via->value.len + WRAP_EXTRA);
	size_t len = wrap_value(text, "Via", sip_at(m, via->value), via->value.len);
	static struct sip_msg alone;

	if (len <= SIP_MSG_MAX) {
		assert(sip_msg_parse(&alone, text, len) == SIP_OK);
		expect_same_via(m, via, &alone, &alone.via);
		assert(same(m, via->value, &alone, alone.via.value));
		assert(same(m, via->rport, &alone, alone.via.rport));
		assert(same(m, via->received, &alone, alone.via.received));
	}
	free(text);
}

/* The quick reader, if it reads the first line, says the same of it. */
static void quickly(const struct sip_msg *m, const struct sip_via *via)
{
	struct sip_via quick;

	if (!sip_via_plain(m, &m->hdr[m->first[SIP_HDR_VIA]], &quick))
		return;
	expect_same_via(m, via, m, &quick);
	assert(same(m, via->value, m, quick.value) && same(m, via->params, m, quick.params));
	assert(same(m, via->rport, m, quick.rport) && same(m, via->received, m, quick.received));
	assert(same(m, via->rport_param, m, quick.rport_param));
	assert(same(m, via->received_param, m, quick.received_param));
	assert(via->has_rport == quick.has_rport && via->has_received == quick.has_received);
}

static size_t apply(const struct sip_edits *es, const struct sip_msg *m, uint8_t *out)
{
	int len = sip_edits_apply(es, m->buf, m->len, out, SIP_MSG_MAX);

	assert(len >= 0 || sip_edits_len(es, m->len) > SIP_MSG_MAX);
	return len < 0 ? 0 : (size_t)len;
}

/* What is left after popping is the list without its first one. */
static void pop(const struct sip_msg *m, uint8_t *out)
{
	struct sip_via_iter before, after;
	struct sip_via x, y;
	static struct sip_msg popped;
	struct sip_edits es;
	size_t len;
	int r, s;

	sip_edits_init(&es);
	assert(sip_edit_pop_via(&es, m) == 0);
	len = apply(&es, m, out);
	sip_via_iter_init(&before, m);
	assert(sip_via_iter_next(&before, &x) == 1);
	r = sip_via_iter_next(&before, &x);
	s = (int)sip_msg_parse(&popped, out, len);
	assert(s == (r == 1 ? SIP_OK : r == 0 ? SIP_ERR_MISSING_VIA : SIP_ERR_VIA));
	if (s != SIP_OK)
		return;
	sip_via_iter_init(&after, &popped);
	for (; r == 1; r = sip_via_iter_next(&before, &x)) {
		assert(sip_via_iter_next(&after, &y) == 1);
		expect_same_via(m, &x, &popped, &y);
	}
	assert(sip_via_iter_next(&after, &y) == r);
}

static void mark(const struct sip_msg *m, uint8_t *out)
{
	static struct sip_msg marked;
	struct sip_edits es;
	char text[80];
	size_t len;

	sip_edits_init(&es);
	assert(sip_edit_via_received(&es, m, text, IP, strlen(IP), 65535) == 0);
	len = apply(&es, m, out);
	if (len == 0)
		return;
	assert(sip_msg_parse(&marked, out, len) == SIP_OK);
	expect_same_via(m, &m->via, &marked, &marked.via);
	assert(sip_span_is(out, marked.via.received, IP));
	assert(sip_span_is(out, marked.via.rport, "65535"));
	assert(marked.n_hdrs == m->n_hdrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[SIP_MSG_MAX];
	struct sip_via_iter it;
	struct sip_via via;
	static struct sip_msg m;
	enum sip_result result;
	uint8_t *msg;
	size_t len;

	if (size > SIP_MSG_MAX - WRAP_EXTRA)
		return 0;
	msg = malloc(size + WRAP_EXTRA);
	len = wrap_value(msg, "Via", data, size);
	result = sip_msg_parse(&m, msg, len);
	fuzz_walk(&m, result, len);
	if (result == SIP_OK) {
		sip_via_iter_init(&it, &m);
		for (bool first = true; sip_via_iter_next(&it, &via) == 1; first = false) {
			parse_alone(&m, &via);
			if (first)
				quickly(&m, &via);
		}
		pop(&m, out);
		mark(&m, out);
	}
	free(msg);
	return 0;
}
