/*
 * Maglev tables: the same whatever the order, in proportion to the weights, and little disturbed by
 * an entry that leaves or joins (Eisenbud et al., NSDI 2016, 3.4 and 5.3).
 */
#include "dataplane/steer/steer_maglev.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/dp_cfg.h"
#include "dataplane/steer/steer_mac.h"
#include "tests/leaks.h"

TestSuite(steer_maglev, .fini = leaks_check);

static uint16_t table_a[STEER_MAGLEV_SIZE], table_b[STEER_MAGLEV_SIZE];

enum weights { ALL_ONE, ONE_TO_FIVE, ONE_HEAVY, N_WEIGHTS };
static const char *const weights_name[] = { "all 1", "1 to 5", "one of 20" };

static uint32_t weight_of(enum weights w, size_t i)
{
	switch (w) {
	case ONE_TO_FIVE: return 1 + (uint32_t)i % 5;
	case ONE_HEAVY: return i == 1 ? 20 : 1;
	default: return 1;
	}
}

/* n pairs, "pair-0" and on. The caller frees. */
static struct steer_maglev_entry *entries_new(size_t n, enum weights w)
{
	struct steer_maglev_entry *e = calloc(n, sizeof(*e));

	for (size_t i = 0; i < n; i++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "pair-%zu", i);

		e[i].key = dp_key(name, (size_t)len);
		e[i].weight = weight_of(w, i);
		e[i].value = (uint16_t)i;
	}
	return e;
}

static void swap(struct steer_maglev_entry *a, struct steer_maglev_entry *b)
{
	struct steer_maglev_entry t = *a;

	*a = *b;
	*b = t;
}

static const size_t sizes[] = { 2, 3, 10, 100, 1000 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 2; d < n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

Test(steer_maglev, size_is_a_prime_that_no_entry_changes)
{
	struct steer_maglev_entry *e = entries_new(10000, ONE_TO_FIVE);

	cr_expect(is_prime(steer_maglev_size(e, 1)));
	cr_expect(is_prime(steer_maglev_size(e, 2)));
	for (size_t n = 2; n < 10000; n++)
		cr_expect(steer_maglev_size(e, n) == steer_maglev_size(e, n + 1), "%zu", n);
	cr_expect(steer_maglev_size(e, 10000) >= 100 * 10000);
	cr_expect(steer_maglev_size(e, 10000) <= STEER_MAGLEV_SIZE);
	free(e);
}

Test(steer_maglev, table_does_not_depend_on_the_order_of_its_entries)
{
	for (size_t k = 0; k < N_SIZES; k++) {
		size_t n = sizes[k];
		struct steer_maglev_entry *e = entries_new(n, ONE_TO_FIVE);

		cr_assert(steer_maglev_build(e, n, table_a, STEER_MAGLEV_SIZE) == 0);
		for (size_t i = n - 1; i > 0; i--)
			swap(&e[i], &e[steer_hash(&i, sizeof(i)) % (i + 1)]);
		cr_assert(steer_maglev_build(e, n, table_b, STEER_MAGLEV_SIZE) == 0);
		cr_expect(memcmp(table_a, table_b, sizeof(table_a)) == 0, "%zu entries", n);
		free(e);
	}
}

Test(steer_maglev, table_is_the_one_that_other_instances_have)
{
	struct steer_maglev_entry *e = entries_new(10, ONE_TO_FIVE);

	cr_assert(steer_maglev_build(e, 10, table_a, STEER_MAGLEV_SIZE) == 0);
	cr_expect(steer_hash(table_a, sizeof(table_a)) == 0x1113c719df11a1edull, "%016lx",
		  steer_hash(table_a, sizeof(table_a)));
	free(e);
}

Test(steer_maglev, shares_are_in_proportion_to_weights)
{
	for (size_t k = 0; k < N_SIZES * N_WEIGHTS; k++) {
		size_t n = sizes[k % N_SIZES];
		enum weights w = (enum weights)(k / N_SIZES);
		struct steer_maglev_entry *e = entries_new(n, w);
		uint32_t *slots = calloc(n, sizeof(*slots));
		uint64_t sum = 0;

		cr_assert(steer_maglev_build(e, n, table_a, STEER_MAGLEV_SIZE) == 0);
		for (uint32_t i = 0; i < STEER_MAGLEV_SIZE; i++) {
			cr_assert(table_a[i] < n, "slot %u holds %u", i, table_a[i]);
			slots[table_a[i]]++;
		}
		for (size_t i = 0; i < n; i++)
			sum += e[i].weight;
		for (size_t i = 0; i < n; i++) {
			double due = (double)STEER_MAGLEV_SIZE * e[i].weight / (double)sum;
			double off = slots[i] - due;

			cr_expect(off <= due / 100 && -off <= due / 100,
				  "%zu entries, weights %s: entry %zu has %u slots, %.1f are due",
				  n, weights_name[w], i, slots[i], due);
			cr_expect(w != ALL_ONE || (off < 1 && -off < 1),
				  "%zu entries: entry %zu has %u slots, %.1f are due", n, i,
				  slots[i], due);
		}
		free(slots);
		free(e);
	}
}

/* Share of the others' slots, in percent, that change hands when entry `gone` leaves. */
static double disturbed(struct steer_maglev_entry *e, size_t n, size_t gone)
{
	uint16_t value = e[gone].value;
	uint32_t others = 0, moved = 0;

	swap(&e[gone], &e[n - 1]);
	cr_assert(steer_maglev_build(e, n - 1, table_b, STEER_MAGLEV_SIZE) == 0);
	swap(&e[gone], &e[n - 1]);
	for (uint32_t i = 0; i < STEER_MAGLEV_SIZE; i++) {
		cr_assert(table_b[i] != value, "slot %u still holds %u", i, value);
		others += table_a[i] != value;
		moved += table_a[i] != value && table_a[i] != table_b[i];
	}
	return 100.0 * moved / others;
}

Test(steer_maglev, one_that_leaves_disturbs_at_most_1_percent_of_the_others_share)
{
	for (size_t k = 0; k < N_SIZES * N_WEIGHTS; k++) {
		size_t n = sizes[k % N_SIZES];
		enum weights w = (enum weights)(k / N_SIZES);
		struct steer_maglev_entry *e = entries_new(n, w);
		size_t gone[] = { 0, 1, n / 2, n - 1 };

		cr_assert(steer_maglev_build(e, n, table_a, steer_maglev_size(e, n)) == 0);
		for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
			double percent = disturbed(e, n, gone[i]);

			cr_expect(percent <= 1.0,
				  "%zu entries, weights %s: entry %zu leaves and %.3f %% move", n,
				  weights_name[w], gone[i], percent);
		}
		free(e);
	}
}

Test(steer_maglev, ten_thousand_entries)
{
	struct steer_maglev_entry *e = entries_new(10000, ALL_ONE);
	uint32_t *slots = calloc(10000, sizeof(*slots));
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	cr_assert(steer_maglev_build(e, 10000, table_a, steer_maglev_size(e, 10000)) == 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	cr_log_info("10,000 entries, %u slots: built in %.1f ms", STEER_MAGLEV_SIZE,
		    (double)(to.tv_sec - from.tv_sec) * 1e3
			    + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	for (uint32_t i = 0; i < STEER_MAGLEV_SIZE; i++)
		slots[table_a[i]]++;
	for (size_t i = 0; i < 10000; i++)
		cr_expect(slots[i] == 100 || slots[i] == 101, "entry %zu: %u", i, slots[i]);
	free(slots);
	free(e);
}

/* A weight can be anything from 1 up: no entry may starve the build, nor make it endless. */
static const struct {
	uint32_t weight[3];
	uint32_t slots[3]; /* of 1009, to within one */
} extremes[] = {
	{ { 1, 1, UINT32_MAX }, { 0, 0, 1009 } },
	{ { UINT32_MAX, UINT32_MAX, UINT32_MAX }, { 336, 336, 337 } },
	{ { 1, 1000, 1000000 }, { 0, 1, 1008 } },
	{ { UINT32_MAX, UINT32_MAX, 1 }, { 504, 505, 0 } },
};

Test(steer_maglev, extreme_weights)
{
	for (size_t k = 0; k < sizeof(extremes) / sizeof(extremes[0]); k++) {
		struct steer_maglev_entry *e = entries_new(3, ALL_ONE);
		int slots[3] = { 0 };

		for (size_t i = 0; i < 3; i++)
			e[i].weight = extremes[k].weight[i];
		cr_assert(steer_maglev_build(e, 3, table_a, 1009) == 0);
		for (uint32_t i = 0; i < 1009; i++)
			slots[table_a[i]]++;
		for (size_t i = 0; i < 3; i++)
			cr_expect(abs(slots[i] - (int)extremes[k].slots[i]) <= 1,
				  "row %zu entry %zu: %d", k, i, slots[i]);
		free(e);
	}
}

static const struct {
	const char *what;
	size_t n;
	uint32_t weight;
	uint32_t size;
	int result;
} calls[] = {
	{ "one entry", 1, 1, STEER_MAGLEV_SIZE_ONE, 0 },
	{ "more entries than slots", 500, 1, 101, 0 },
	{ "the smallest table", 2, 1, 2, 0 },
	{ "no entry", 0, 1, 101, -EINVAL },
	{ "weight 0", 2, 0, 101, -EINVAL },
	{ "size 0", 2, 1, 0, -EINVAL },
	{ "size 1", 2, 1, 1, -EINVAL },
	{ "no prime: some skips would not visit every slot", 2, 1, 1009 * 3, -EINVAL },
	{ "a prime's square", 2, 1, 997 * 997, -EINVAL },
	{ "a prime beyond the bound", 2, 1, 1000033, -EINVAL },
	{ "too many entries", STEER_MAGLEV_MAX_ENTRIES + 1, 1, 101, -EINVAL },
};

Test(steer_maglev, arguments)
{
	for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
		struct steer_maglev_entry *e = entries_new(calls[k].n + 1, ALL_ONE);

		e[calls[k].n / 2].weight = calls[k].weight;
		cr_expect(steer_maglev_build(e, calls[k].n, table_a, calls[k].size)
				  == calls[k].result,
			  "%s", calls[k].what);
		free(e);
	}
}

Test(steer_maglev, lookup_reaches_every_slot_and_none_beyond)
{
	static const uint64_t hashes[] = { 0, 1, UINT32_MAX, 1ull << 32, UINT64_MAX };
	static const uint32_t size = 1009;
	uint16_t *table = malloc(size * sizeof(*table));
	uint8_t *seen = calloc(size, 1);

	for (uint32_t i = 0; i < size; i++)
		table[i] = (uint16_t)i;
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		cr_expect(steer_maglev_lookup(table, size, hashes[i]) < size);
	cr_expect(steer_maglev_lookup(table, size, UINT64_MAX) == size - 1);
	for (uint64_t i = 0; i < 20000; i++)
		seen[steer_maglev_lookup(table, size, steer_hash(&i, sizeof(i)))] = 1;
	for (uint32_t i = 0; i < size; i++)
		cr_expect(seen[i], "slot %u", i);
	free(seen);
	free(table);
}
