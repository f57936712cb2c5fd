/*
 * A list of name-addrs in Route: walking, popping any number, removing any one.
 */
#include "sip/sip_edit.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wrap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 64

struct list {
	const struct sip_msg *msg;
	unsigned int n; /* may be more than LIST_MAX */
	int end;        /* of the walk: 0, or -EINVAL at a malformed element */
	struct sip_addr addr[LIST_MAX];
	const struct sip_hdr *hdr[LIST_MAX];
};

static void walk(struct list *l, const struct sip_msg *m)
{
	struct sip_addr_iter it;
	struct sip_addr addr;

	l->msg = m;
	l->n = 0;
	sip_addr_iter_init(&it, m, SIP_HDR_ROUTE);
	while ((l->end = sip_addr_iter_next(&it, &addr)) == 1) {
		if (l->n < LIST_MAX) {
			l->addr[l->n] = addr;
			l->hdr[l->n] = it.hdr;
		}
		l->n++;
	}
}

static void expect_same(const struct list *a, unsigned int i, const struct list *b, unsigned int j)
{
	struct sip_span x, y;

	if (i >= LIST_MAX || j >= LIST_MAX)
		return;
	x = a->addr[i].whole;
	y = b->addr[j].whole;
	assert(x.len == y.len && memcmp(sip_at(a->msg, x), sip_at(b->msg, y), x.len) == 0);
}

static enum sip_result apply(const struct sip_edits *es, const struct sip_msg *m, uint8_t *out,
			     struct sip_msg *edited)
{
	int len = sip_edits_apply(es, m->buf, m->len, out, SIP_MSG_MAX);

	assert(len >= 0 && (size_t)len == sip_edits_len(es, m->len));
	return sip_msg_parse(edited, out, (size_t)len);
}

static void pop(const struct list *l, unsigned int n, uint8_t *out)
{
	static struct sip_msg edited;
	static struct list rest;
	struct sip_edits es;

	sip_edits_init(&es);
	if (sip_edit_pop_route(&es, l->msg, n) < 0) {
		/* More than there are, a malformed list, or more lines than an edit list holds. */
		assert(es.n == 0 && es.delta == 0);
		assert(n > l->n || l->end < 0 || l->msg->n_hdrs > SIP_EDIT_MAX);
		return;
	}
	assert(n <= l->n || l->end < 0);
	assert(apply(&es, l->msg, out, &edited) == SIP_OK);
	walk(&rest, &edited);
	if (l->end < 0)
		return;
	assert(rest.n == l->n - n && rest.end == 0);
	for (unsigned int i = n; i < l->n; i++)
		expect_same(l, i, &rest, i - n);
}

static void remove_one(const struct list *l, unsigned int at, uint8_t *out)
{
	static struct sip_msg edited;
	static struct list rest;
	struct sip_edits es;

	sip_edits_init(&es);
	assert(sip_edit_remove_addr(&es, l->msg, l->hdr[at], &l->addr[at]) == 0);
	assert(apply(&es, l->msg, out, &edited) == SIP_OK);
	walk(&rest, &edited);
	if (l->end < 0)
		return;
	assert(rest.n == l->n - 1 && rest.end == 0);
	for (unsigned int i = 0; i < rest.n; i++)
		expect_same(l, i < at ? i : i + 1, &rest, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[SIP_MSG_MAX];
	static struct list l;
	static struct sip_msg m;
	enum sip_result result;
	uint8_t *msg;
	size_t len;

	if (size > 4096)
		return 0;
	msg = malloc(size + WRAP_EXTRA);
	len = wrap_value(msg, "Route", data, size);
	result = sip_msg_parse(&m, msg, len);
	fuzz_walk(&m, result, len);
	if (result == SIP_OK) {
		walk(&l, &m);
		for (unsigned int n = 0; n <= l.n + 1 && n <= LIST_MAX; n++)
			pop(&l, n, out);
		for (unsigned int i = 0; i < l.n && i < LIST_MAX; i++)
			remove_one(&l, i, out);
	}
	free(msg);
	return 0;
}
