/*
 * The walk along a payload's edits, built once for each set of instructions. Whoever includes it
 * says first what it is built for:
 *
 *	WALK		what comes before each function
 *	SUMS		a type: sums of bytes given less those taken
 *	sums_none()	WALK SUMS (void)
 *	sums_take()	WALK void (SUMS *, const uint8_t *end, size_t len): the len bytes before
 *			`end`, in lanes as if it were an even place; may read 31 bytes before them
 *	sums_give()	the same
 *	sums_total()	WALK int64_t (const SUMS *)
 *	put_long()	WALK void (uint8_t *to, const uint8_t *from, size_t len, bool away) as
 *			memmove(), for more than 32 bytes; `away`: `to` is not before `from`, else
 *			not behind it, or they have nothing in common
 */
#include <string.h>

#include "dataplane/io/dp_edit.h"

#define MULTIPLES (65535ll << 27) /* above what may be taken away, some 2^42 */

WALK size_t end_of(const struct sip_edit *e)
{
	return (size_t)e->off + e->del;
}

WALK int64_t growth(const struct sip_edit *e)
{
	return (int64_t)e->ins_len - e->del;
}

/* Most pieces are short, and their lengths differ: copies of one size that overlap, without a call.
 * All is read before anything is written, so that the places may overlap, too. */
WALK void put(uint8_t *to, const uint8_t *from, size_t len, bool away)
{
	uint64_t a[2], b[2];

	if (len > 32) {
		put_long(to, from, len, away);
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

/*
 * What is kept lies in pieces in front of the edits and behind the last one; each moves by what
 * grows before it, less `back`. First those that move away from the start, the last one first, then
 * those that move towards it, the first one first: so none is written over before it has moved. An
 * insertion goes in when the piece before it has moved; the one behind it has by then, or lies
 * further on than the insertion's end.
 */
WALK void edit_in_place(const struct sip_edits *es, uint8_t *pay, size_t len, int64_t back)
{
	const struct sip_edit *e, *last = es->e + es->n;
	int64_t shift = es->delta - back;
	size_t from, to = len;

#pragma GCC unroll 1
	for (e = last; e > es->e;) {
		e--;
		if (growth(e) == 0)
			continue; /* what is before it moves along */
		from = end_of(e);
		if (shift > 0)
			put(pay + from + shift, pay + from, to - from, true);
		shift -= growth(e);
		to = e->off;
	}
	if (shift > 0)
		put(pay + shift, pay, to, true);
	from = 0;
#pragma GCC unroll 1
	for (e = es->e; e < last; e++) {
		if (shift < 0)
			put(pay + from + shift, pay + from, e->off - from, false);
		put(pay + e->off + shift, e->ins, e->ins_len, false);
		shift += growth(e);
		from = end_of(e);
	}
	if (shift < 0)
		put(pay + from + shift, pay + from, len - from, false);
}

WALK bool inserts_own(const struct dp_edit *d)
{
	const struct sip_edits *es = d->edits;

#pragma GCC unroll 1
	for (const struct sip_edit *e = es->e, *end = e + es->n; e < end; e++)
		if (__builtin_expect(dp_edit_is_own(d, e), 0))
			return true;
	return false;
}

/* A sum seen from a place instead of from the payload's start, or the other way round. */
WALK dp_sum_t seen_from(dp_sum_t s, size_t place)
{
	return place & 1 ? dp_sum_swap(s) : s;
}

/*
 * Seen from the last edit's end, what is behind it stays as it is, in its lanes, too. What is
 * before the first edit does so when the payload grows by an even number.
 */
WALK dp_sum_t edit(const struct dp_edit *d)
{
	const struct sip_edits *es = d->edits;
	size_t first = es->n ? es->e[0].off : 0, end = es->n ? end_of(&es->e[es->n - 1u]) : 0;
	size_t len = end - (es->delta & 1 ? 0 : first);
	size_t new_end = end + (size_t)(int64_t)es->delta,
	       new_len = len + (size_t)(int64_t)es->delta;
	struct sip_edits moved;
	SUMS s = sums_none();

	if (d->summed)
		sums_take(&s, d->payload + end, len);
	if (__builtin_expect(inserts_own(d), 0))
		es = dp_edit_keep_aside(d, &moved);
	edit_in_place(es, d->payload, d->len, d->back);
	if (!d->summed)
		return 0;
	sums_give(&s, d->payload - d->back + new_end, new_len);
	return seen_from(seen_from(d->sum, end) + (dp_sum_t)(sums_total(&s) + MULTIPLES), new_end);
}
