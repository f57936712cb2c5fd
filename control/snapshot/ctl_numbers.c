/*
 * Stable numbers for pairs and slots for members, with a grace period before a number changes
 * hands.
 *
 * One table row per pair number, in an array that grows; each row holds its members' names by slot.
 * A row or slot whose owner is gone keeps the name until the grace period has passed, so that an
 * owner who returns in time gets its old place back. Control thread only.
 */
#include "control/snapshot/ctl_numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/** Who has a place. */
struct place {
	char *name;       /* NULL: free, never used or long since given up */
	uint64_t gone_ms; /* when its owner left; 0: it is here */
};

struct row {
	struct place pair;
	struct place member[DP_PAIR_MEMBERS];
};

struct ctl_numbers {
	struct row *rows;
	size_t n;
	uint32_t *index; /* row + 1 by name, open addressing, at most half full; 0: empty */
	size_t index_mask;
};

struct ctl_numbers *ctl_numbers_new(void)
{
	return calloc(1, sizeof(struct ctl_numbers));
}

static void rows_free(struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].pair.name);
		for (size_t s = 0; s < DP_PAIR_MEMBERS; s++)
			free(rows[i].member[s].name);
	}
	free(rows);
}

void ctl_numbers_free(struct ctl_numbers *n)
{
	if (!n)
		return;
	rows_free(n->rows, n->n);
	free(n->index);
	free(n);
}

static char *copy_name(const char *name, size_t len)
{
	return strndup(name, len);
}

static bool place_is(const struct place *p, const char *name, size_t len)
{
	return p->name && strlen(p->name) == len && memcmp(p->name, name, len) == 0;
}

/** Give a place to a name. @return 0 or -ENOMEM. */
static int place_take(struct place *p, const char *name, size_t len)
{
	if (!place_is(p, name, len)) {
		char *copy = copy_name(name, len);

		if (!copy)
			return -ENOMEM;
		free(p->name);
		p->name = copy;
	}
	p->gone_ms = 0;
	return 0;
}

static bool place_is_free(const struct place *p, uint64_t now_ms)
{
	return !p->name || (p->gone_ms && now_ms - p->gone_ms >= CTL_NUMBER_GRACE_MS);
}

static int grow(struct ctl_numbers *n, size_t want)
{
	struct row *rows;

	if (want <= n->n)
		return 0;
	if (want > DP_MAX_PAIRS)
		return -ENOSPC;
	rows = reallocarray(n->rows, want, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	memset(rows + n->n, 0, (want - n->n) * sizeof(*rows));
	n->rows = rows;
	n->n = want;
	return 0;
}

static uint32_t home_of(const char *name, size_t mask)
{
	return dp_key(name, strlen(name)) & (uint32_t)mask;
}

/** Build the index anew after rows have changed. @return 0 or -ENOMEM (the index is untouched). */
static int index_rows(struct ctl_numbers *n)
{
	size_t size = 8;
	uint32_t *index;

	while (size < 2 * n->n + 1)
		size *= 2;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (size_t i = 0; i < n->n; i++) {
		size_t at;

		if (!n->rows[i].pair.name)
			continue;
		at = home_of(n->rows[i].pair.name, size - 1);
		while (index[at])
			at = (at + 1) & (size - 1);
		index[at] = (uint32_t)i + 1;
	}
	free(n->index);
	n->index = index;
	n->index_mask = size - 1;
	return 0;
}

static int find_row(const struct ctl_numbers *n, const char *name)
{
	if (!n->index)
		return -ENOENT;
	for (size_t at = home_of(name, n->index_mask); n->index[at];
	     at = (at + 1) & n->index_mask) {
		uint32_t row = n->index[at] - 1;

		if (strcmp(n->rows[row].pair.name, name) == 0)
			return (int)row;
	}
	return -ENOENT;
}

static int adopt_pair(struct row *row, const struct dp_cfg *cfg, const struct dp_pair *p)
{
	struct dp_text name = dp_cfg_pair_info(cfg, dp_cfg_pair_number(cfg, p))->name;
	int rc = place_take(&row->pair, dp_cfg_text(cfg, name), name.len);

	for (unsigned int s = 0; rc == 0 && s < DP_PAIR_MEMBERS; s++) {
		const struct dp_member *m = dp_pair_member(p, s);

		if (m->valid)
			rc = place_take(&row->member[s], dp_cfg_text(cfg, m->name), m->name.len);
	}
	return rc;
}

int ctl_numbers_adopt(struct ctl_numbers *n, const struct dp_cfg *cfg)
{
	int rc = grow(n, cfg->n_pairs);

	for (uint32_t i = 0; rc == 0 && i < cfg->n_pairs; i++) {
		const struct dp_pair *p = dp_cfg_pair(cfg, i);

		if (p)
			rc = adopt_pair(&n->rows[i], cfg, p);
	}
	return rc ? rc : index_rows(n);
}

/** A deep copy to work on, so that a failure leaves the original alone. */
static struct row *rows_copy(const struct ctl_numbers *n)
{
	struct row *rows = calloc(n->n ? n->n : 1, sizeof(*rows));

	for (size_t i = 0; rows && i < n->n; i++) {
		const struct place *from = &n->rows[i].pair;
		struct place *to = &rows[i].pair;

		/* The pair's place and its members' lie side by side: one loop serves both. */
		for (size_t s = 0; s <= DP_PAIR_MEMBERS; s++) {
			if (s > 0) {
				from = &n->rows[i].member[s - 1];
				to = &rows[i].member[s - 1];
			}
			to->gone_ms = from->gone_ms;
			if (from->name && !(to->name = strdup(from->name))) {
				rows_free(rows, n->n);
				return NULL;
			}
		}
	}
	return rows;
}

/** Mark all as gone; whoever is still there is taken back afterwards. */
static void mark_gone(struct place *p, uint64_t now_ms)
{
	if (p->name && !p->gone_ms)
		p->gone_ms = now_ms ? now_ms : 1;
}

static int assign_members(struct row *row, const struct ctl_pair *pair, uint64_t now_ms)
{
	for (size_t s = 0; s < DP_PAIR_MEMBERS; s++)
		mark_gone(&row->member[s], now_ms);
	/* Those who were here first, so that a newcomer does not take a place whose owner is still
	 * to come. */
	for (int newcomers = 0; newcomers < 2; newcomers++) {
		for (size_t i = 0; i < pair->n_members; i++) {
			const char *name = pair->members[i].name;
			size_t len = strlen(name), s = 0;
			int rc;

			while (s < DP_PAIR_MEMBERS && !place_is(&row->member[s], name, len))
				s++;
			if (s == DP_PAIR_MEMBERS && !newcomers)
				continue;
			if (s == DP_PAIR_MEMBERS) {
				for (s = 0;
				     s < DP_PAIR_MEMBERS && !place_is_free(&row->member[s], now_ms);
				     s++)
					;
			}
			if (s == DP_PAIR_MEMBERS)
				return -ENOSPC;
			rc = place_take(&row->member[s], name, len);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/** A row for a newcomer; forgets its former owner's members. */
static int new_row(struct ctl_numbers *n, size_t *from, uint64_t now_ms)
{
	while (*from < n->n && !place_is_free(&n->rows[*from].pair, now_ms))
		(*from)++;
	if (*from == n->n) {
		int rc = grow(n, n->n + 1);

		if (rc)
			return rc;
	}
	for (size_t s = 0; s < DP_PAIR_MEMBERS; s++) {
		free(n->rows[*from].member[s].name);
		n->rows[*from].member[s] = (struct place){ 0 };
	}
	return (int)*from;
}

static int assign_all(struct ctl_numbers *n, const struct ctl_model *m, uint64_t now_ms)
{
	size_t next = 0;
	int *number = calloc(m->n_pairs ? m->n_pairs : 1, sizeof(*number));
	int rc = number ? index_rows(n) : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < n->n; i++)
		mark_gone(&n->rows[i].pair, now_ms);
	for (size_t i = 0; rc == 0 && i < m->n_pairs; i++) {
		number[i] = find_row(n, m->pairs[i].name);
		if (number[i] >= 0)
			n->rows[number[i]].pair.gone_ms = 0;
	}
	for (size_t i = 0; rc == 0 && i < m->n_pairs; i++) {
		if (number[i] < 0)
			number[i] = new_row(n, &next, now_ms);
		rc = number[i] < 0 ? number[i] : 0;
		if (rc == 0)
			rc = place_take(&n->rows[number[i]].pair, m->pairs[i].name,
					strlen(m->pairs[i].name));
		if (rc == 0)
			rc = assign_members(&n->rows[number[i]], &m->pairs[i], now_ms);
	}
	free(number);
	return rc ? rc : index_rows(n);
}

int ctl_numbers_assign(struct ctl_numbers *n, const struct ctl_model *m, uint64_t now_ms)
{
	struct ctl_numbers work = { .rows = rows_copy(n), .n = n->n };
	int rc;

	if (!work.rows)
		return -ENOMEM;
	rc = assign_all(&work, m, now_ms);
	if (rc) {
		rows_free(work.rows, work.n);
		free(work.index);
		return rc;
	}
	rows_free(n->rows, n->n);
	free(n->index);
	*n = work;
	return 0;
}

static bool has_slot(const struct row *row, const char *name)
{
	for (size_t s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (place_is(&row->member[s], name, strlen(name)))
			return true;
	}
	return false;
}

static bool is_among(const struct place *p, const char *const *names, size_t n_names)
{
	for (size_t i = 0; p->name && i < n_names; i++) {
		if (strcmp(p->name, names[i]) == 0)
			return true;
	}
	return false;
}

void ctl_numbers_fit(const struct ctl_numbers *n, const char *pair, const char *const *names,
		     size_t n_names, uint64_t now_ms, bool *fits)
{
	int number = find_row(n, pair);
	const struct row *row = number >= 0 ? &n->rows[number] : NULL;
	size_t n_free = DP_PAIR_MEMBERS;

	/* Those whose place somebody has, or keeps. */
	for (size_t s = 0; row && s < DP_PAIR_MEMBERS; s++)
		n_free -= is_among(&row->member[s], names, n_names)
			  || !place_is_free(&row->member[s], now_ms);
	for (size_t i = 0; i < n_names; i++) {
		fits[i] = (row && has_slot(row, names[i])) || n_free > 0;
		n_free -= fits[i] && !(row && has_slot(row, names[i]));
	}
}

int ctl_numbers_pair(const struct ctl_numbers *n, const char *pair)
{
	int number = find_row(n, pair);

	return number >= 0 && n->rows[number].pair.gone_ms ? -ENOENT : number;
}

int ctl_numbers_slot_of(const struct ctl_numbers *n, int number, const char *member)
{
	for (unsigned int s = 0; number >= 0 && s < DP_PAIR_MEMBERS; s++) {
		const struct place *p = &n->rows[number].member[s];

		if (p->name && !p->gone_ms && strcmp(p->name, member) == 0)
			return (int)s;
	}
	return -ENOENT;
}

int ctl_numbers_slot(const struct ctl_numbers *n, const char *pair, const char *member)
{
	return ctl_numbers_slot_of(n, ctl_numbers_pair(n, pair), member);
}
