/*
 * The store: copies byte for byte, its bound, its wheel.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_store.h"
#include "tests/leaks.h"

TestSuite(steer_store, .fini = leaks_check);

#define TICK_US (1u << STEER_WHEEL_SHIFT)

static uint8_t *bytes(uint32_t len, uint32_t seed)
{
	uint8_t *p = malloc(len + 1);

	cr_assert(p != NULL);
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
	return p;
}

Test(steer_store, copies_of_every_length_around_a_chunk)
{
	static const uint32_t lens[] = {
		1,
		2,
		STEER_CHUNK_BYTES - 1,
		STEER_CHUNK_BYTES,
		STEER_CHUNK_BYTES + 1,
		2 * STEER_CHUNK_BYTES,
		5 * STEER_CHUNK_BYTES + 3,
		9000,
	};
	struct steer_store *st = steer_store_new(64 * 1024);
	uint8_t out[9001];

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *p = bytes(lens[i], (uint32_t)i);
		uint32_t n = steer_store_add(st, p, lens[i]);

		cr_assert(n != STEER_NONE);
		out[lens[i]] = 0xaa;
		steer_store_get(st, &steer_store_flight(st, n)->copy, out);
		cr_expect(memcmp(out, p, lens[i]) == 0 && out[lens[i]] == 0xaa, "%u", lens[i]);
		steer_store_remove(st, n);
		free(p);
	}
	cr_expect(steer_store_use(st).used == 0 && steer_store_use(st).flights == 0);
	steer_store_free(st);
}

/* Chains that come and go in any order do not get into each other's way. */
Test(steer_store, copies_of_many_flights)
{
	enum { N = 40, LONGEST = 4 * STEER_CHUNK_BYTES };
	struct steer_store *st = steer_store_new(N * LONGEST);
	uint32_t numbers[N] = { 0 }, lens[N] = { 0 }, random = 1;
	uint8_t *p = bytes(N + LONGEST, 1), out[LONGEST];

	for (int step = 0; step < 4000; step++) {
		uint32_t k;

		random = random * 1664525 + 1013904223;
		k = (random >> 16) % N;
		if (numbers[k] != STEER_NONE) {
			cr_assert(steer_store_flight(st, numbers[k])->copy.len == lens[k]);
			steer_store_get(st, &steer_store_flight(st, numbers[k])->copy, out);
			cr_assert(memcmp(out, p + k, lens[k]) == 0, "step %d, %u", step, k);
			steer_store_remove(st, numbers[k]);
		}
		lens[k] = 1 + (random >> 4) % LONGEST;
		numbers[k] = steer_store_add(st, p + k, lens[k]);
	}
	for (int k = 0; k < N; k++)
		if (numbers[k] != STEER_NONE)
			steer_store_remove(st, numbers[k]);
	cr_expect(steer_store_use(st).used == 0);
	free(p);
	steer_store_free(st);
}

/* Full of flights, of chunks or of contexts, it says so, and is as it was. */
Test(steer_store, the_bound_holds)
{
	static const uint32_t lens[] = { 1, 700, 4000 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct steer_store *st = steer_store_new(100000);
		uint8_t *p = bytes(lens[i], 1);
		uint32_t n, most = 0;

		for (int round = 0; round < 3; round++) {
			uint32_t numbers[1000], count = 0;

			while ((n = steer_store_add(st, p, lens[i])) != STEER_NONE)
				numbers[count++] = n;
			cr_expect(steer_store_use(st).used <= 100000
				  && steer_store_use(st).size <= 100000);
			cr_expect(round == 0 || count == most, "nothing was lost");
			most = count;
			cr_expect(count >= 12);
			while (count > 0)
				steer_store_remove(st, numbers[--count]);
			cr_expect(steer_store_use(st).used == 0);
		}
		free(p);
		steer_store_free(st);
	}
}

Test(steer_store, contexts_run_out_and_come_back)
{
	struct steer_store *st = steer_store_new(100000);
	struct steer_context *x;
	uint32_t numbers[200], n = 0, full;

	for (;; n++) {
		numbers[n] = steer_store_add(st, (const uint8_t *)"x", 1);
		cr_assert(numbers[n] != STEER_NONE);
		x = steer_store_context(st, steer_store_flight(st, numbers[n]));
		if (!x)
			break;
		cr_expect(x->n == 0 && x->best_status == 0);
		x->n = 3;
		if (n < 8)
			cr_expect(steer_store_put(st, &x->best_copy, (const uint8_t *)"abc", 3));
		cr_expect(steer_store_context_of(st, steer_store_flight(st, numbers[n])) == x);
	}
	cr_expect(n >= 8 && steer_store_use(st).contexts == n);
	cr_expect(steer_store_context_of(st, steer_store_flight(st, numbers[n])) == NULL);
	full = n;
	for (uint32_t i = 0; i <= full; i++)
		steer_store_remove(st, numbers[i]);
	cr_expect(steer_store_use(st).used == 0 && steer_store_use(st).contexts == 0);
	steer_store_free(st);
}

Test(steer_store, what_does_not_fit_leaves_the_old_copy)
{
	struct steer_store *st = steer_store_new(1);
	uint32_t n = steer_store_add(st, (const uint8_t *)"first", 5);
	struct steer_flight *f = steer_store_flight(st, n);
	uint8_t *large = bytes(20000, 1), out[8] = "";

	cr_expect(!steer_store_put(st, &f->copy, large, 20000));
	steer_store_get(st, &f->copy, out);
	cr_expect_str_eq((char *)out, "first");
	cr_expect(steer_store_put(st, &f->copy, (const uint8_t *)"next", 5));
	steer_store_get(st, &f->copy, out);
	cr_expect_str_eq((char *)out, "next");
	free(large);
	steer_store_free(st);
}

/* Against a list that is looked through: each flight comes up once, not before its time, and less
 * than two ticks after it, whatever was put off, brought forward or removed meanwhile. */
static void wheel_against_a_list(uint64_t now)
{
	enum { N = 64 };
	struct steer_store *st = steer_store_new(100000);
	uint64_t due[N + 1] = { 0 };
	uint32_t numbers[N], random = 1;
	struct steer_flight *f;

	for (int i = 0; i < N; i++)
		numbers[i] = steer_store_add(st, (const uint8_t *)"x", 1);
	for (int step = 0; step < 20000; step++) {
		uint32_t pick;
		uint64_t at;

		random = random * 1664525 + 1013904223;
		pick = random >> 8 & (N - 1);
		if (random >> 24 & 7) {
			at = now + (random >> 3) % (random & 1 ? 100000 : 60000000);
			steer_store_at(st, steer_store_flight(st, numbers[pick]), at);
			due[pick] = at;
		} else { /* another one in its place, due never so far */
			steer_store_remove(st, numbers[pick]);
			numbers[pick] = steer_store_add(st, (const uint8_t *)"x", 1);
			due[pick] = 0;
		}
		if (step % 50 == 49)
			now += (random >> 5) % 400000;
		while ((f = steer_store_due(st, now)) != NULL) {
			uint32_t k = 0;

			while (numbers[k] != steer_store_number(st, f))
				k++;
			cr_assert(due[k] != 0 && due[k] <= now, "step %d: too early", step);
			due[k] = 0;
		}
		for (int k = 0; k < N; k++)
			cr_assert(due[k] == 0 || due[k] + 2 * TICK_US > now, "step %d: late", step);
	}
	steer_store_free(st);
}

Test(steer_store, the_wheel_against_a_list)
{
	wheel_against_a_list(5000000);
}

/* The wheel begins where the clock is, and its ticks need more than 32 bits by then. */
Test(steer_store, the_wheel_of_a_machine_that_has_run_for_years)
{
	wheel_against_a_list((UINT64_C(1) << 45) - 20000000);
}

/* After a pause of any length: all of them, in a walk of one turn. */
Test(steer_store, a_long_pause)
{
	struct steer_store *st = steer_store_new(100000);
	uint32_t a = steer_store_add(st, (const uint8_t *)"x", 1);
	uint32_t b = steer_store_add(st, (const uint8_t *)"x", 1);

	steer_store_at(st, steer_store_flight(st, a), 2000000);
	steer_store_at(st, steer_store_flight(st, b), 300000000);
	cr_expect(steer_store_due(st, 290000000) == steer_store_flight(st, a));
	cr_expect(steer_store_due(st, 290000000) == NULL);
	cr_expect(steer_store_due(st, 290000000 + 20ull * 3600 * 1000000)
		  == steer_store_flight(st, b));
	steer_store_free(st);
}
