/*
 * Maglev tables: "Maglev: A Fast and Reliable Software Network Load Balancer" (Eisenbud et al.,
 * NSDI 2016), section 3.4. Pure but for the memory of a build; any thread, not the packet path.
 *
 * Each entry has a permutation of the slots, made of its key and the table's size alone. In turn,
 * each takes the next free slot of its permutation. Weights: an entry takes its k-th turn (k = 0,
 * 1 ..) at the time (k + 1/2) / weight, so that at every moment the numbers of slots taken are in
 * proportion to within one slot. The unit of time is a turn of the heaviest entry; entries wait in
 * a calendar, one FIFO for each unit, so that a build takes a step per turn and not per entry and
 * round.
 */
#include "dataplane/steer/steer_maglev.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_mac.h"

#define NONE UINT32_MAX

struct claimant {
	uint32_t key;
	uint32_t weight;
	uint32_t slot; /* next one of its permutation */
	uint32_t skip;
	uint64_t time;   /* of its next turn, 32.32 fixed point */
	uint64_t stride; /* between two turns */
	uint32_t next;   /* the one behind it in the calendar */
	uint16_t value;
};

struct fifo {
	uint32_t first, last;
};

struct build {
	struct claimant *c;
	size_t n;
	struct fifo *calendar;
	uint32_t n_units;
	uint64_t *taken; /* bit per slot */
	uint16_t *table;
	uint32_t size;
};

uint32_t steer_maglev_size(const struct steer_maglev_entry *e, size_t n)
{
	(void)e;
	return n <= 1 ? STEER_MAGLEV_SIZE_ONE : STEER_MAGLEV_SIZE;
}

static int by_key(const void *a, const void *b)
{
	const struct claimant *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (x->weight > y->weight) - (x->weight < y->weight);
}

static void permutation_init(struct claimant *c, uint32_t size)
{
	uint64_t seed[2] = { c->key, 0 };
	uint64_t offset = steer_hash(seed, sizeof(seed));
	uint64_t skip;

	seed[1] = 1;
	skip = steer_hash(seed, sizeof(seed));
	c->slot = (uint32_t)(offset % size);
	c->skip = size > 1 ? (uint32_t)(skip % (size - 1) + 1) : 0;
}

static void calendar_append(struct build *b, uint32_t who)
{
	struct claimant *c = &b->c[who];
	struct fifo *f;

	/* Later than the table can take to fill: no turn at all. */
	if (c->time >> 32 >= b->n_units)
		return;
	f = &b->calendar[c->time >> 32];
	c->next = NONE;
	if (f->first == NONE)
		f->first = who;
	else
		b->c[f->last].next = who;
	f->last = who;
}

static void take_slot(struct build *b, struct claimant *c)
{
	uint32_t slot = c->slot, skip = c->skip, size = b->size;

	while (b->taken[slot / 64] >> slot % 64 & 1) {
		slot += skip;
		if (slot >= size)
			slot -= size;
	}
	b->taken[slot / 64] |= 1ull << slot % 64;
	b->table[slot] = c->value;
	c->slot = slot;
}

static void fill(struct build *b)
{
	uint32_t left = b->size;

	for (uint32_t unit = 0; left > 0; unit++) {
		uint32_t who, next;

		for (who = b->calendar[unit].first; who != NONE && left > 0; who = next) {
			struct claimant *c = &b->c[who];

			next = c->next;
			take_slot(b, c);
			left--;
			c->time += c->stride;
			calendar_append(b, who);
		}
	}
}

static int plan(struct build *b, const struct steer_maglev_entry *e)
{
	uint64_t max = 0, sum = 0;
	uint64_t never;

	for (size_t i = 0; i < b->n; i++) {
		if (e[i].weight == 0)
			return -EINVAL;
		sum += e[i].weight;
		if (e[i].weight > max)
			max = e[i].weight;
	}
	/* Each entry is at most half a turn behind its share. */
	b->n_units = (uint32_t)((b->size + b->n) * max / sum) + 2;
	never = (uint64_t)b->n_units << 32;

	b->c = calloc(b->n, sizeof(*b->c));
	b->calendar = malloc(b->n_units * sizeof(*b->calendar));
	b->taken = calloc(b->size / 64 + 1, sizeof(*b->taken));
	if (b->c == NULL || b->calendar == NULL || b->taken == NULL)
		return -ENOMEM;
	memset(b->calendar, 0xff, b->n_units * sizeof(*b->calendar)); /* NONE */
	for (size_t i = 0; i < b->n; i++) {
		uint64_t stride = (max << 32) / e[i].weight;

		b->c[i] = (struct claimant){ .key = e[i].key,
					     .weight = e[i].weight,
					     .value = e[i].value,
					     .time = stride / 2,
					     .stride = stride < never ? stride : never };
		permutation_init(&b->c[i], b->size);
	}
	qsort(b->c, b->n, sizeof(*b->c), by_key);
	return 0;
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n >= 2;
}

int steer_maglev_build(const struct steer_maglev_entry *e, size_t n, uint16_t *table, uint32_t size)
{
	struct build b = { .n = n, .table = table, .size = size };
	int err;

	/* Only a prime's every skip visits every slot. */
	if (n == 0 || n > STEER_MAGLEV_MAX_ENTRIES || size > STEER_MAGLEV_SIZE || !is_prime(size))
		return -EINVAL;
	err = plan(&b, e);
	if (err == 0) {
		for (size_t i = 0; i < n; i++)
			calendar_append(&b, (uint32_t)i);
		fill(&b);
	}
	free(b.c);
	free(b.calendar);
	free(b.taken);
	return err;
}
