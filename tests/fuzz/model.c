/*
 * Lists of texts.
 */
#include "tests/fuzz/model.h"

#include <assert.h>
#include <string.h>

static struct model_text keep(struct model *mo, const void *bytes, size_t len)
{
	struct model_text t = { mo->used, (uint32_t)len };

	if (len > MODEL_TEXT - mo->used) {
		mo->good = false;
		return (struct model_text){ 0, 0 };
	}
	if (len > 0)
		memcpy(mo->bytes + mo->used, bytes, len);
	mo->used += (uint32_t)len;
	return t;
}

static void push(struct model *mo, struct model_list *l, struct model_text t)
{
	if (l->n == MODEL_LIST)
		mo->good = false;
	else
		l->text[l->n++] = t;
}

static void keep_vias(struct model *mo, const struct sip_msg *m)
{
	struct sip_via_iter it;
	struct sip_via via;
	int r;

	sip_via_iter_init(&it, m);
	while ((r = sip_via_iter_next(&it, &via)) == 1)
		push(mo, &mo->vias, keep(mo, sip_at(m, via.value), via.value.len));
	mo->good &= r == 0;
}

static void keep_addrs(struct model *mo, struct model_list *l, const struct sip_msg *m,
		       enum sip_hdr_id id)
{
	struct sip_addr_iter it;
	struct sip_addr addr;
	int r;

	sip_addr_iter_init(&it, m, id);
	while ((r = sip_addr_iter_next(&it, &addr)) == 1)
		push(mo, l, keep(mo, sip_at(m, addr.whole), addr.whole.len));
	mo->good &= r == 0;
}

static void keep_header(struct model *mo, const struct sip_msg *m, const struct sip_hdr *h)
{
	struct model_text t = keep(mo, m->buf + h->name_off, h->name_len);

	keep(mo, "\n", 1);
	keep(mo, m->buf + h->value_off, h->value_len);
	t.len = mo->used - t.off;
	push(mo, &mo->headers, t);
}

void model_of(struct model *mo, const struct sip_msg *m)
{
	memset(mo, 0, offsetof(struct model, bytes));
	mo->good = true;
	mo->start_line = keep(mo, m->buf, m->hdrs_off);
	mo->body = keep(mo, m->buf + m->body_off, m->len - m->body_off);
	keep_vias(mo, m);
	keep_addrs(mo, &mo->routes, m, SIP_HDR_ROUTE);
	keep_addrs(mo, &mo->contacts, m, SIP_HDR_CONTACT);
	mo->has_max_forwards = sip_msg_has(m, SIP_HDR_MAX_FORWARDS);
	mo->max_forwards = m->max_forwards;
	for (uint16_t i = 0; i < m->n_hdrs; i++) {
		enum sip_hdr_id id = (enum sip_hdr_id)m->hdr[i].id;

		if (id != SIP_HDR_VIA && id != SIP_HDR_ROUTE && id != SIP_HDR_CONTACT
		    && id != SIP_HDR_MAX_FORWARDS)
			keep_header(mo, m, &m->hdr[i]);
	}
}

void model_insert(struct model *mo, struct model_list *l, unsigned int at, const char *text)
{
	assert(at <= l->n);
	if (l->n == MODEL_LIST) {
		mo->good = false;
		return;
	}
	memmove(&l->text[at + 1], &l->text[at], (l->n - at) * sizeof(l->text[0]));
	l->text[at] = keep(mo, text, strlen(text));
	l->n++;
}

void model_remove(struct model_list *l, unsigned int at)
{
	assert(at < l->n);
	l->n--;
	memmove(&l->text[at], &l->text[at + 1], (l->n - at) * sizeof(l->text[0]));
}

void model_replace(struct model *mo, struct model_text *t, const char *text, size_t len)
{
	*t = keep(mo, text, len);
}

static bool same_text(const struct model *a, struct model_text x, const struct model *b,
		      struct model_text y)
{
	return x.len == y.len && memcmp(a->bytes + x.off, b->bytes + y.off, x.len) == 0;
}

static bool same_list(const struct model *a, const struct model_list *x, const struct model *b,
		      const struct model_list *y)
{
	if (x->n != y->n)
		return false;
	for (unsigned int i = 0; i < x->n; i++)
		if (!same_text(a, x->text[i], b, y->text[i]))
			return false;
	return true;
}

bool model_equal(const struct model *a, const struct model *b)
{
	return same_text(a, a->start_line, b, b->start_line) && same_text(a, a->body, b, b->body)
	       && same_list(a, &a->vias, b, &b->vias) && same_list(a, &a->routes, b, &b->routes)
	       && same_list(a, &a->contacts, b, &b->contacts)
	       && same_list(a, &a->headers, b, &b->headers)
	       && a->has_max_forwards == b->has_max_forwards && a->max_forwards == b->max_forwards;
}
