/* The walk along edits in plain C, and the choice among the ways to do it. */
#include "dataplane/io/dp_edit.h"

#define WALK static inline
#define SUMS int64_t

WALK int64_t sum_to(const uint8_t *end, size_t len)
{
	dp_sum_t s = dp_sum_plain(end - len, len);

	return (int64_t)(len & 1 ? dp_sum_swap(s) : s);
}

WALK int64_t sums_none(void)
{
	return 0;
}

WALK void sums_take(SUMS *s, const uint8_t *end, size_t len)
{
	*s -= sum_to(end, len);
}

WALK void sums_give(SUMS *s, const uint8_t *end, size_t len)
{
	*s += sum_to(end, len);
}

WALK int64_t sums_total(const SUMS *s)
{
	return *s;
}

WALK void put_long(uint8_t *to, const uint8_t *from, size_t len, bool away)
{
	uint64_t a[2], b[2], c[2], d[2];

	(void)away;
	if (len > 64) {
		memmove(to, from, len);
		return;
	}
	memcpy(a, from, 16);
	memcpy(b, from + 16, 16);
	memcpy(c, from + len - 32, 16);
	memcpy(d, from + len - 16, 16);
	memcpy(to, a, 16);
	memcpy(to + 16, b, 16);
	memcpy(to + len - 32, c, 16);
	memcpy(to + len - 16, d, 16);
}

#include "dataplane/io/dp_edit_walk.h"

dp_sum_t dp_edit_plain(const struct dp_edit *d)
{
	return edit(d);
}

__attribute__((cold)) const struct sip_edits *dp_edit_keep_aside(const struct dp_edit *d,
								 struct sip_edits *moved)
{
	memcpy(d->scratch, d->payload, d->len);
	*moved = *d->edits;
	for (unsigned int i = 0; i < moved->n; i++)
		if (dp_edit_is_own(d, &moved->e[i]))
			moved->e[i].ins = d->scratch + (moved->e[i].ins - d->payload);
	return moved;
}

static dp_edit_fn *best = dp_edit_plain;

static __attribute__((constructor)) void choose(void)
{
	dp_edit_fn *machine = dp_edit_machine();

	if (machine)
		best = machine;
}

dp_sum_t dp_edit(const struct dp_edit *d)
{
	return best(d);
}
