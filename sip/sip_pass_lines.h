/*
 * The header lines of a message, by one variant of the scan: sip_pass.h includes it.
 *
 * Lines "Name: value CR LF" are taken, known names and others; whatever is written otherwise is
 * left to sip_parse_line().
 */
#pragma once

#include "sip/sip_parse.h"

/* Surer than __builtin_expect(), which stands for nine in ten: what is rare takes no registers. */
#define likely(x)   __builtin_expect_with_probability(!!(x), 1, 0.99)
#define unlikely(x) __builtin_expect_with_probability(!!(x), 0, 0.99)

static __attribute__((noinline)) uint64_t feeds_cut(const uint8_t *b, uint32_t i, uint32_t limit)
{
	uint8_t copy[SIP_BLOCK];
	unsigned int shift = 0;
	const uint8_t *p = sip_block_cut(b, i, limit, copy, &shift);

	return feeds64(feed_row(), p) >> shift;
}

static uint64_t feeds(const uint8_t *b, uint32_t i, uint32_t limit)
{
	return likely(limit - i >= SIP_BLOCK) ? feeds64(feed_row(), b + i) : feeds_cut(b, i, limit);
}

static __attribute__((noinline)) uint64_t stops_cut(const uint8_t *b, uint32_t i, uint32_t limit)
{
	uint8_t copy[SIP_BLOCK];
	unsigned int shift = 0;
	const uint8_t *p = sip_block_cut(b, i, limit, copy, &shift);

	return stops64(p) >> shift | UINT64_MAX << (limit - i);
}

static inline uint64_t stops(const uint8_t *b, uint32_t i, uint32_t limit)
{
	return likely(limit - i >= SIP_BLOCK) ? stops64(b + i) : stops_cut(b, i, limit);
}

/*
 * The line feeds of a block that may not be a whole one, or more than there is room for: 0 to end
 * at it. n are the lines taken. Of a line that is taken, and of what follows the last of them, 16
 * bytes are compared with names: so the line that is open has them, and the last feed here is the
 * first with fewer bytes behind it.
 */
static __attribute__((noinline)) uint64_t
last_feeds(const struct sip_msg *m, const struct sip_lines *l, ptrdiff_t base, size_t n)
{
	uint32_t i = (uint32_t)base, len = m->len;
	uint64_t bits, far = 0;

	if (i >= len || n - l->n_hdrs + SIP_BLOCK > l->room)
		return 0;
	bits = feeds(m->buf, i, len);
	if (i + SIP_BLOCK + 16 <= len)
		return bits;
	if (i + 16 < len)
		far = bits & ((UINT64_C(1) << (len - 16 - i)) - 1);
	bits &= ~far;
	return far | (bits & -bits);
}

/*
 * Of a line that begins with no pattern: what sip_hdr_fields() says of it, or 0 when it is not
 * "Name: value" with a name of few words.
 */
static __attribute__((noinline)) uint64_t other_fields(const struct sip_msg *m, uint32_t i)
{
	uint64_t word_ends = stops(m->buf, i, m->len);
	const uint8_t *line = m->buf + i;
	uint32_t len;

	if (word_ends == 0)
		return 0;
	len = (uint32_t)__builtin_ctzll(word_ends);
	if (len == 0 || i + len + 2 >= m->len || line[len] != ':' || line[len + 1] != ' '
	    || line[len + 2] <= ' ')
		return 0;
	return sip_hdr_fields(len + 2, len, sip_hdr_lookup(line, len));
}

/* The pattern that a line of at least 16 bytes begins with, or NULL. */
static inline const struct sip_pattern *pattern_of(const uint8_t *line)
{
	const struct sip_pattern *p = sip_pattern_at(sip_pattern_place(line));

	while (!likely(has_prefix(line, p))) {
		if (p->next == 0)
			return NULL;
		p = sip_pattern_at(p->next);
	}
	return p;
}

/* The n-th line goes on at l->i: leave all of it to others. Returns n. */
static __attribute__((noinline)) size_t take_back(struct sip_msg *m, struct sip_lines *l, size_t n)
{
	const struct sip_hdr *h = &m->hdr[n];

	l->room++;
	l->i = h->name_off;
	if (m->first[h->id] == n)
		l->present &= ~SIP_BIT(h->id);
	return n;
}

/* Shorter header lines are not taken here: "a: b", CR, LF. */
#define SHORTEST_LINE 6

/* Where blocks of lines from i on may begin that are followed by 16 bytes, and have no more lines
 * than there is room for. */
static inline ptrdiff_t last_block(const struct sip_msg *m, const struct sip_lines *l, size_t i)
{
	ptrdiff_t by_bytes = (ptrdiff_t)m->len - SIP_BLOCK - 16;
	ptrdiff_t by_lines = (ptrdiff_t)(i + l->room * SHORTEST_LINE) - SIP_BLOCK;

	return by_bytes < by_lines ? by_bytes : by_lines;
}

/* Put an id into a set; returns whether it was there. Compilers do not make this one instruction.
 */
static inline bool put(uint64_t *set, uint64_t id)
{
	bool was;

#if defined(__x86_64__)
	__asm__("btsq %2, %0" : "+r"(*set), "=@ccc"(was) : "r"(id));
#else
	was = *set >> id & 1;
	*set |= SIP_BIT(id);
#endif
	return was;
}

/* Whether the line feed at `end` is behind a CR, and that behind no white space or control. */
static inline bool plain_end(const uint8_t *b, size_t end)
{
	const uint32_t first = (uint32_t)('\r' << 8 | (' ' + 1)), last = '\r' << 8 | 0xff;

	/* Two bytes as one number, the CR being its upper one. */
	return likely(sip_load16(b + end - 2) - first <= last - first);
}

/*
 * Header lines from i on, to the first line that is not plain: l->i is that one then. Not inlined,
 * for the sake of registers.
 *
 * A block is looked at before the lines of the one before it are taken: what comes of it takes long
 * to be there, and lines that wait for it would fill the processor's queues.
 *
 * That a line is no continuation is not looked at when the one before it is taken: no name begins
 * with white space, so it shows at its own turn.
 */
static __attribute__((noinline)) void plain_lines(struct sip_msg *m, struct sip_lines *l, size_t i)
{
	const uint8_t *const b = m->buf;
	const ptrdiff_t last = last_block(m, l, i);
	feed_row_t row = feed_row();
	ptrdiff_t base = (ptrdiff_t)i - SIP_BLOCK;
	size_t n = l->n_hdrs; /* as wide as addresses */
	uint64_t present = l->present, weight = SIP_HDR_START_WEIGHT;
	uint64_t bits, ahead = (ptrdiff_t)i <= last ? feeds64(row, b + i) : 0;

	__asm__("" : "+r"(weight)); /* in a register */
	for (;;) {
		base += SIP_BLOCK;
		bits = ahead;
		ahead = 0;
		if (likely(base + SIP_BLOCK <= last))
			ahead = feeds64(row, b + base + SIP_BLOCK);
		if (bits == 0) {
			if (likely(base <= last))
				continue;
			if (i + 16 > m->len)
				break;
			bits = last_feeds(m, l, base, n);
			if (bits == 0)
				break;
			row = feed_row(); /* no register holds it over a call */
		}
		do {
			size_t end = (size_t)base + (size_t)__builtin_ctzll(bits);
			const struct sip_pattern *p = pattern_of(b + i);
			uint64_t fields, id;

			if (likely(p)) {
				fields = p->hdr;
				id = p->id;
			} else {
				fields = b[i] > ' ' ? other_fields(m, (uint32_t)i) : 0;
				id = fields >> 56;
				if (fields == 0)
					goto out;
				row = feed_row();
			}
			if (unlikely(!plain_end(b, end)))
				goto out;
			if (likely(!put(&present, id)))
				m->first[id] = (uint16_t)n;
			else if (id == SIP_HDR_VIA)
				m->more_vias = true;
			else if (id == SIP_HDR_ROUTE)
				m->more_routes = true;
			else if (sip_at_most_once & SIP_BIT(id))
				goto out;
			m->hdr[n++] = sip_hdr_sum(i, end, fields, weight);
			i = end + 1;
			bits &= bits - 1;
		} while (bits);
	}
out:
	l->room -= (uint32_t)n - l->n_hdrs;
	l->present = present;
	l->i = (uint32_t)i;
	if (unlikely(i < m->len && (b[i] == ' ' || b[i] == '\t') && n > l->n_hdrs))
		n = take_back(m, l, n - 1);
	l->n_hdrs = (uint32_t)n;
}
