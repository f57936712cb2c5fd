#include "dataplane/io/dp_rewrite.h"

#include <errno.h>
#include <string.h>

#include "dataplane/io/dp_headers.h"

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A sum of bytes that start `at` bytes into what is summed. */
static dp_sum_t sum_at(const uint8_t *p, size_t len, uint32_t at)
{
	dp_sum_t s = dp_sum(p, len);

	return at & 1 ? dp_sum_swap(s) : s;
}

/* The payload's sum, as its datagram's checksum says: all that was summed, less the headers. */
static dp_sum_t payload_sum(const uint8_t *frame, const struct dp_packet *p)
{
	const uint8_t *udp = frame + p->l4_off;
	uint16_t udp_len = (uint16_t)(p->payload_len + DP_UDP_LEN);
	dp_sum_t headers =
		dp_pseudo_sum(&p->src.ip, &p->dst.ip, udp_len) + dp_sum_words(udp, DP_UDP_LEN / 4);

	/* headers, checksum field included, + payload == 0xffff, that is, 0 */
	return dp_sum_negate(headers);
}

/* What inserts nothing inserts NULL, or bytes whose place does not matter. */
static inline bool lies_within(const struct sip_edit *e, const uint8_t *pay, uint32_t len)
{
	return (uintptr_t)e->ins - (uintptr_t)pay < len;
}

/* Most pieces are short, and their lengths differ: copies of one size that overlap, without a call.
 * All is read before anything is written, so that the places may overlap, too. */
static inline void put(uint8_t *to, const uint8_t *from, uint32_t len)
{
	uint64_t a[2], b[2], c[2], d[2];

	if (len > 64) {
		memmove(to, from, len);
	} else if (len > 32) {
		memcpy(a, from, 16);
		memcpy(b, from + 16, 16);
		memcpy(c, from + len - 32, 16);
		memcpy(d, from + len - 16, 16);
		memcpy(to, a, 16);
		memcpy(to + 16, b, 16);
		memcpy(to + len - 32, c, 16);
		memcpy(to + len - 16, d, 16);
	} else if (len > 16) {
		memcpy(a, from, 16);
		memcpy(b, from + len - 16, 16);
		memcpy(to, a, 16);
		memcpy(to + len - 16, b, 16);
	} else if (len >= 8) {
		memcpy(a, from, 8);
		memcpy(b, from + len - 8, 8);
		memcpy(to, a, 8);
		memcpy(to + len - 8, b, 8);
	} else if (len >= 4) {
		uint32_t first, last;

		memcpy(&first, from, 4);
		memcpy(&last, from + len - 4, 4);
		memcpy(to, &first, 4);
		memcpy(to + len - 4, &last, 4);
	} else if (len) {
		uint8_t first = from[0], middle = from[len / 2], last = from[len - 1];

		to[0] = first;
		to[len / 2] = middle;
		to[len - 1] = last;
	}
}

/* Whether an edit inserts some of the payload itself. */
static bool inserts_own(const struct sip_edits *es, const uint8_t *pay, uint32_t len)
{
	bool own = false;

#pragma GCC unroll 1
	for (const struct sip_edit *e = es->e, *end = e + es->n; e < end; e++)
		own |= lies_within(e, pay, len);
	return own;
}

static uint32_t end_of(const struct sip_edit *e)
{
	return (uint32_t)e->off + e->del;
}

static inline int64_t growth(const struct sip_edit *e)
{
	return (int64_t)e->ins_len - e->del;
}

/*
 * What is kept lies in pieces in front of the edits and behind the last one; each moves by what
 * grows before it, less `back`. First those that move away from the start, the last one first, then
 * those that move towards it, the first one first: so none is written over before it has moved. An
 * insertion goes in when the piece before it has moved; the one behind it has by then, or lies
 * further on than the insertion's end.
 */
static void edit_in_place(const struct sip_edits *es, uint8_t *pay, uint32_t len, int64_t back)
{
	const struct sip_edit *e, *last = es->e + es->n;
	int64_t shift = es->delta - back;
	uint32_t from, to = len;

#pragma GCC unroll 1
	for (e = last; e > es->e;) {
		e--;
		if (growth(e) == 0)
			continue; /* what is before it moves along */
		from = end_of(e);
		if (shift > 0)
			put(pay + from + shift, pay + from, to - from);
		shift -= growth(e);
		to = e->off;
	}
	if (shift > 0)
		put(pay + shift, pay, to);
	from = 0;
#pragma GCC unroll 1
	for (e = es->e; e < last; e++) {
		if (shift < 0)
			put(pay + from + shift, pay + from, e->off - from);
		put(pay + e->off + shift, e->ins, e->ins_len);
		shift += growth(e);
		from = end_of(e);
	}
	if (shift < 0)
		put(pay + from + shift, pay + from, len - from);
}

/* The same for edits that insert some of the payload itself, which is kept aside for it. */
static __attribute__((noinline, cold)) void
edit_by_copy(const struct sip_edits *es, uint8_t *pay, uint32_t len, int64_t back, uint8_t *scratch)
{
	struct sip_edits moved = *es;

	memcpy(scratch, pay, len);
	for (unsigned int i = 0; i < es->n; i++)
		if (lies_within(&es->e[i], pay, len))
			moved.e[i].ins = scratch + (es->e[i].ins - pay);
	edit_in_place(&moved, pay, len, back);
}

/*
 * The new sum. Bytes after the last edit did not change; but when the payload grew by an odd number
 * of bytes, they changed lanes.
 */
static dp_sum_t edited_sum(dp_sum_t total, dp_sum_t old, dp_sum_t new, bool odd)
{
	dp_sum_t rest = total + dp_sum_negate(old);

	return new + (odd ? dp_sum_swap(rest) : rest);
}

int dp_rewrite_payload(struct dp_frame *f, const struct dp_packet *p, const struct sip_edits *es,
		       uint8_t *scratch, struct dp_payload *out)
{
	uint8_t *frame = f->buf + f->off, *pay = frame + p->payload_off;
	int64_t at = f->off + p->payload_off; /* of the payload in the buffer */
	uint32_t first = es->n ? es->e[0].off : 0, end = es->n ? end_of(&es->e[es->n - 1u]) : 0;
	/* The front moves towards the start by `back`, the tail away from it by the rest. */
	int64_t back = es->delta < at - DP_HEADERS_MAX ? es->delta : at - DP_HEADERS_MAX;
	bool summed = frame[p->l4_off + 6] != 0 || frame[p->l4_off + 7] != 0;
	bool odd = es->delta & 1;
	/* What is summed before and after: from the first edit on, as what is before does not
	 * change. But that would change lanes, too, if it were among the rest. */
	uint32_t start = odd ? 0 : first;
	dp_sum_t total, old, new;

	if (at + p->payload_len + es->delta - back > f->size)
		return -ENOSPC;
	total = summed ? payload_sum(frame, p) : 0;
	old = summed ? sum_at(pay + start, end - start, start) : 0;
	if (inserts_own(es, pay, p->payload_len))
		edit_by_copy(es, pay, p->payload_len, back, scratch);
	else
		edit_in_place(es, pay, p->payload_len, back);
	f->off = out->off = (uint32_t)(at - back);
	f->len = out->len = (uint32_t)((int64_t)p->payload_len + es->delta);
	out->summed = summed;
	new = summed ? sum_at(pay - back + start, (uint32_t)((int64_t)(end - start) + es->delta),
			      start)
		     : 0;
	out->sum = summed ? edited_sum(total, old, new, odd) : 0;
	return 0;
}

static void put_ipv6(uint8_t *ip, uint16_t udp_len, const struct dp_headers *h)
{
	put16(ip, (uint16_t)(0x6000u | (h->tclass & 0xfcu) << 4 | h->flow >> 16));
	put16(ip + 2, (uint16_t)h->flow);
	put16(ip + 4, udp_len);
	ip[6] = IPPROTO_UDP;
	ip[7] = DP_TTL;
	memcpy(ip + 8, h->from.ip.b, 16);
	memcpy(ip + 24, h->to.ip.b, 16);
}

uint16_t dp_rewrite_headers(struct dp_frame *f, const struct dp_payload *pl,
			    const struct dp_headers *h)
{
	uint16_t udp_len = (uint16_t)(pl->len + DP_UDP_LEN);
	uint8_t *payload = f->buf + pl->off;
	uint32_t w[DP_UDP_LEN / 4] = { dp_header_word(h->from.port, h->to.port) };

	if (dp_ip_is_v4(&h->to.ip)) {
		dp_header_ipv4(payload, pl, &h->from, &h->to, h->ipv4_id, h->tclass, h->offload);
		f->off = pl->off - DP_UDP_LEN - DP_IPV4_LEN;
		f->len = DP_IPV4_LEN + udp_len;
		return DP_ETHER_IPV4;
	}
	w[1] = dp_header_udp(payload, pl, dp_pseudo_sum(&h->from.ip, &h->to.ip, udp_len), w[0],
			     h->offload);
	memcpy(payload - sizeof(w), w, sizeof(w));
	f->off = pl->off - DP_UDP_LEN - DP_IPV6_LEN;
	f->len = DP_IPV6_LEN + udp_len;
	put_ipv6(f->buf + f->off, udp_len, h);
	return DP_ETHER_IPV6;
}

void dp_rewrite_ether(struct dp_frame *f, const uint8_t *dst, const uint8_t *src,
		      uint16_t ethertype)
{
	uint8_t *e = f->buf + f->off - DP_ETHER_LEN;

	memcpy(e, dst, 6);
	memcpy(e + 6, src, 6);
	put16(e + 12, ethertype);
	f->off -= DP_ETHER_LEN;
	f->len += DP_ETHER_LEN;
}
