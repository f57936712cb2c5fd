/*
 * The edit list: kept sorted and free of overlaps as it grows, applied in one sweep. Pure; any
 * thread.
 */
#include "sip/sip_edit.h"
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

static uint32_t edit_end(const struct sip_edit *e)
{
	return (uint32_t)e->off + e->del;
}

/* Whether the later of two edits by offset starts inside the earlier one, or both delete from one
 * place. */
static bool overlaps(const struct sip_edit *e, uint32_t off, uint32_t del)
{
	if (e->off == off)
		return e->del && del;
	if (e->off < off)
		return off < edit_end(e);
	return e->off < off + del;
}

/* Whether an edit goes behind all others, as most do. Of those at one place the first may delete
 * what the last stands in. */
static bool is_last(const struct sip_edits *es, uint32_t off)
{
	uint32_t last = es->n ? es->e[es->n - 1u].off : 0;

	for (unsigned int i = es->n; i > 0 && es->e[i - 1u].off == last; i--)
		if (off <= last || off < edit_end(&es->e[i - 1u]))
			return false;
	return true;
}

/* Make room for an edit among others. @return where, or -EINVAL. */
static __attribute__((noinline)) int make_room(struct sip_edits *es, uint32_t off, uint32_t del)
{
	int at = es->n;

	if (is_last(es, off))
		return at;
	for (int i = 0; i < at; i++)
		if (overlaps(&es->e[i], off, del))
			return -EINVAL;
	for (; at > 0 && es->e[at - 1].off > off; at--)
		es->e[at] = es->e[at - 1];
	return at;
}

int sip_edits_add(struct sip_edits *es, uint16_t off, uint16_t del, const void *ins,
		  uint16_t ins_len)
{
	int at = 0;

	if (es->n == SIP_EDIT_MAX)
		return -ENOSPC;
	if ((uint32_t)off + del > SIP_MSG_MAX)
		return -EINVAL;
	if (es->n > 0)
		at = make_room(es, off, del);
	if (at < 0)
		return at;
	es->e[at] = (struct sip_edit){ .off = off, .del = del, .ins_len = ins_len, .ins = ins };
	es->n++;
	es->delta += (int32_t)ins_len - del;
	return 0;
}

int sip_edits_apply(const struct sip_edits *es, const uint8_t *buf, size_t len, uint8_t *out,
		    size_t out_size)
{
	size_t from = 0, to = 0, total = sip_edits_len(es, len);

	for (unsigned int i = 0; i < es->n; i++)
		if (edit_end(&es->e[i]) > len)
			return -EINVAL;
	if (total > out_size)
		return -ENOSPC;
	for (unsigned int i = 0; i < es->n; i++) {
		const struct sip_edit *e = &es->e[i];

		if (e->off > from) {
			memcpy(out + to, buf + from, e->off - from);
			to += e->off - from;
		}
		if (e->ins_len)
			memcpy(out + to, e->ins, e->ins_len);
		to += e->ins_len;
		if (edit_end(e) > from)
			from = edit_end(e);
	}
	if (len > from)
		memcpy(out + to, buf + from, len - from);
	return (int)total;
}

int sip_edit_replace(struct sip_edits *es, struct sip_span s, const void *ins, uint16_t ins_len)
{
	return sip_edits_add(es, s.off, s.len, ins, ins_len);
}

int sip_edit_push_top(struct sip_edits *es, const struct sip_msg *m, const void *lines,
		      uint16_t len)
{
	return m->hdrs_off ? sip_edits_add(es, m->hdrs_off, 0, lines, len) : -EINVAL;
}

int sip_edit_insert_before(struct sip_edits *es, const struct sip_msg *m, enum sip_hdr_id id,
			   const void *lines, uint16_t len)
{
	const struct sip_hdr *h = sip_msg_hdr(m, id);

	if (!h)
		return sip_edit_push_top(es, m, lines, len);
	return sip_edits_add(es, sip_hdr_start(h), 0, lines, len);
}

/* Delete the bytes [start, end). */
static int cut(struct sip_edits *es, uint32_t start, uint32_t end)
{
	return sip_edits_add(es, (uint16_t)start, (uint16_t)(end - start), NULL, 0);
}

static int cut_line(struct sip_edits *es, const struct sip_msg *m, const struct sip_hdr *h)
{
	return cut(es, sip_hdr_start(h), sip_hdr_end(m, h));
}

int sip_edit_pop_via(struct sip_edits *es, const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_VIA);
	uint32_t next;

	if (!h || !(m->decoded & SIP_DECODED_VIA))
		return -EINVAL;
	next = sip_separator(m->buf, sip_span_end(m->via.value), sip_hdr_value_end(h), ',');
	if (next == 0)
		return cut_line(es, m, h);
	return cut(es, h->value_off, next);
}

/* Cut the first elements of a header's list, *n at most; *n becomes what is left to cut. */
static int cut_elements(struct sip_edits *es, const struct sip_msg *m, const struct sip_hdr *h,
			unsigned int *n)
{
	uint32_t i = h->value_off, end = sip_hdr_value_end(h);

	while (*n > 0) {
		uint32_t stop = sip_list_elem_end(m->buf, i, end);

		if (stop == 0)
			return -EINVAL;
		*n -= 1;
		if (stop == end)
			return cut_line(es, m, h);
		i = sip_skip(m->buf, stop + 1, end, SIP_C_LWS);
	}
	return cut(es, h->value_off, i);
}

int sip_edit_pop_route(struct sip_edits *es, const struct sip_msg *m, unsigned int n)
{
	struct sip_edits before = *es;

	for (const struct sip_hdr *h = sip_msg_hdr(m, SIP_HDR_ROUTE); n > 0;
	     h = sip_msg_hdr_next(m, h)) {
		int r = h ? cut_elements(es, m, h, &n) : -EINVAL;

		if (r < 0) {
			*es = before;
			return r;
		}
	}
	return 0;
}

int sip_edit_remove_addr(struct sip_edits *es, const struct sip_msg *m, const struct sip_hdr *h,
			 const struct sip_addr *addr)
{
	uint32_t start = addr->whole.off, stop = sip_span_end(addr->whole);
	uint32_t end = sip_hdr_value_end(h), next, prev;

	if (start < h->value_off || stop > end)
		return -EINVAL;
	next = sip_separator(m->buf, stop, end, ',');
	if (next)
		return cut(es, start, next);
	prev = sip_trim(m->buf, h->value_off, start);
	if (prev > h->value_off && m->buf[prev - 1] == ',')
		return cut(es, sip_trim(m->buf, h->value_off, prev - 1), stop);
	return cut_line(es, m, h);
}
