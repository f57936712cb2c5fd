/*
 * Records against a naive model: a flat list of what was added, looked through from end to end.
 * Time is virtual, and skips by anything from microseconds to years.
 */
#include "dataplane/steer/steer_record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(steer_record, .fini = leaks_check);

#define SECOND 1000000ull
#define YEAR   (365ull * 86400 * SECOND)
#define HOLD   (32 * SECOND)
#define TICK   1024ull /* the wheel's */

/* xorshift64*: the same numbers in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return (next_random(state) >> 16) % n;
}

Test(steer_record, is_found_until_it_expires_and_no_longer)
{
	struct steer_records *rs = steer_records_new(8, HOLD);
	struct steer_record *r = steer_records_insert(rs, 42, 5 * SECOND, 3 * SECOND);

	cr_assert_not_null(r);
	cr_expect(r->key == 42 && r->expires_us == 8 * SECOND);
	r->member = 17;
	cr_expect(steer_records_find(rs, 42, 5 * SECOND) == r);
	cr_expect(steer_records_find(rs, 42, 8 * SECOND - 1) == r);
	cr_expect(r->member == 17);
	cr_expect_null(steer_records_find(rs, 42, 8 * SECOND));
	cr_expect_null(steer_records_find(rs, 43, 5 * SECOND));
	steer_records_free(rs);
}

Test(steer_record, is_added_once)
{
	struct steer_records *rs = steer_records_new(8, HOLD);
	struct steer_record *r = steer_records_insert(rs, 42, 0, HOLD);

	r->member = 17;
	r->loop = 4;
	cr_expect(steer_records_insert(rs, 42, SECOND, HOLD) == r);
	cr_expect(r->member == 17 && r->expires_us == HOLD, "the one that is there");
	cr_expect(steer_records_in_use(rs) == 1);
	r = steer_records_insert(rs, 42, HOLD, HOLD);
	cr_expect(r->member == 0 && r->loop == 0 && r->expires_us == 2 * HOLD,
		  "expired: as good as a new one");
	cr_expect(steer_records_in_use(rs) == 1);
	steer_records_free(rs);
}

Test(steer_record, hold_is_bounded)
{
	struct steer_records *rs = steer_records_new(8, HOLD);
	struct steer_record *r = steer_records_insert(rs, 42, 7, UINT64_MAX);

	cr_expect(r->expires_us == HOLD + 7);
	steer_records_hold(rs, r, 9, UINT64_MAX);
	cr_expect(r->expires_us == HOLD + 9);
	steer_records_hold(rs, r, 9, 0);
	cr_expect_null(steer_records_find(rs, 42, 9));
	steer_records_free(rs);
}

/* Whatever was held for however long, it is not found after its time, and its place is free again
 * soon after the longer of the two. */
static const struct {
	uint64_t first, second; /* hold at 0, and at 1 s, 0: none */
	uint64_t expires, freed;
} holds[] = {
	{ HOLD, 0, HOLD, HOLD },
	{ HOLD, HOLD, HOLD + SECOND, HOLD + SECOND },
	{ 5 * SECOND, HOLD, HOLD + SECOND, HOLD + SECOND },
	{ HOLD, 5 * SECOND, 6 * SECOND, HOLD },
	{ 5 * SECOND, 4 * SECOND + 1, 5 * SECOND + 1, 5 * SECOND + 1 },
	{ 5 * SECOND, 4 * SECOND - 1, 5 * SECOND - 1, 5 * SECOND },
	{ HOLD, 1, SECOND + 1, HOLD },
	{ 6 * HOLD, 0, 6 * HOLD, 6 * HOLD },
	{ 6 * HOLD, HOLD, HOLD + SECOND, HOLD + SECOND + 2 * SECOND },
};

Test(steer_record, held_longer_or_shorter_goes_in_time)
{
	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		struct steer_records *rs = steer_records_new(8, 6 * HOLD);
		struct steer_record *r = steer_records_insert(rs, 42, 0, holds[i].first);
		uint64_t now;

		steer_records_tick(rs, SECOND, 100);
		if (holds[i].second != 0)
			steer_records_hold(rs, r, SECOND, holds[i].second);
		for (now = SECOND; now < holds[i].expires; now += TICK / 4) {
			cr_assert(steer_records_tick(rs, now, 100) == 0, "row %zu at %lu", i, now);
			cr_assert(steer_records_find(rs, 42, now) == r, "row %zu at %lu", i, now);
		}
		cr_expect_null(steer_records_find(rs, 42, holds[i].expires), "row %zu", i);
		for (; steer_records_in_use(rs) != 0 && now < 9 * HOLD; now += TICK / 4)
			steer_records_tick(rs, now, 100);
		cr_expect(now <= holds[i].freed + SECOND, "row %zu: free at %lu, not %lu", i, now,
			  holds[i].freed);
		steer_records_free(rs);
	}
}

Test(steer_record, looked_at_early_gives_its_place_back_early)
{
	struct steer_records *rs = steer_records_new_looking(8, 180 * SECOND, SECOND);
	struct steer_record *r = steer_records_insert(rs, 1, 0, 180 * SECOND);

	cr_assert_not_null(steer_records_insert(rs, 2, 0, 180 * SECOND));
	steer_records_hold(rs, r, SECOND / 2, SECOND);
	for (uint64_t now = 0; now < 4 * SECOND; now += TICK)
		steer_records_tick(rs, now, 100);
	cr_expect(steer_records_in_use(rs) == 1, "the finished one has gone");
	for (uint64_t now = 4 * SECOND; now < 179 * SECOND; now += TICK)
		steer_records_tick(rs, now, 100);
	cr_expect_not_null(steer_records_find(rs, 2, 179 * SECOND));
	for (uint64_t now = 179 * SECOND; now < 184 * SECOND; now += TICK)
		steer_records_tick(rs, now, 100);
	cr_expect(steer_records_in_use(rs) == 0, "and the open one in its time");
	steer_records_free(rs);
}

Test(steer_record, full_is_full_until_one_goes)
{
	struct steer_records *rs = steer_records_new(1000, HOLD);
	struct steer_record *r;

	for (uint64_t key = 1; key <= 1024; key++)
		cr_assert_not_null(steer_records_insert(rs, key, 0, HOLD), "%lu", key);
	cr_expect(steer_records_in_use(rs) == 1024, "rounded up to a power of two");
	cr_expect_null(steer_records_insert(rs, 2000, 0, HOLD));
	cr_expect_not_null(steer_records_insert(rs, 1, 0, HOLD), "the one that is there");
	r = steer_records_find(rs, 500, 0);
	cr_assert_not_null(r);
	steer_records_remove(rs, r);
	cr_expect_null(steer_records_find(rs, 500, 0));
	cr_expect_null(steer_records_insert(rs, 2000, 0, HOLD), "its place is not free yet");
	cr_expect(steer_records_insert(rs, 500, 0, HOLD) == r, "but to itself");
	for (uint64_t key = 1; key <= 1024; key++)
		cr_expect_not_null(steer_records_find(rs, key, 0), "%lu", key);
	cr_expect(steer_records_tick(rs, HOLD + SECOND, 1024) == 1024);
	cr_expect_not_null(steer_records_insert(rs, 2000, HOLD + SECOND, HOLD));
	steer_records_free(rs);
}

Test(steer_record, none_at_all)
{
	struct steer_records *rs = steer_records_new(0, 0);

	cr_assert_not_null(rs);
	cr_expect_null(steer_records_insert(rs, 1, 0, HOLD));
	cr_expect_null(steer_records_find(rs, 1, 0));
	cr_expect(steer_records_tick(rs, YEAR, 10) == 0);
	cr_expect(steer_records_in_use(rs) == 0);
	steer_records_free(rs);
	steer_records_free(NULL);
	cr_expect_null(steer_records_new(UINT32_MAX, HOLD), "more than an index can count");
}

Test(steer_record, tick_does_no_more_than_its_budget)
{
	struct steer_records *rs = steer_records_new(1024, HOLD);
	uint32_t removed, in_use = 1024;

	for (uint64_t key = 1; key <= 1024; key++)
		steer_records_insert(rs, key, 0, key % 2 ? SECOND : HOLD);
	/* Half of them are held on, so that the wheel has to move them. */
	for (uint64_t key = 1; key <= 1024; key += 4)
		steer_records_hold(rs, steer_records_find(rs, key, 0), 0, HOLD);
	cr_expect(steer_records_tick(rs, 3 * SECOND, 0) == 0);
	while ((removed = steer_records_tick(rs, 3 * SECOND, 10)) != 0 || in_use > 768) {
		cr_assert(removed <= 10);
		in_use -= removed;
		cr_assert(steer_records_in_use(rs) == in_use);
	}
	for (uint64_t key = 1; key <= 1024; key++)
		cr_expect((steer_records_find(rs, key, 3 * SECOND) != NULL) == (key % 4 != 3),
			  "%lu", key);
	cr_expect(steer_records_tick(rs, YEAR, 10000) == 768);
	cr_expect(steer_records_in_use(rs) == 0);
	steer_records_free(rs);
}

/* Not many at once after none for a while: a pause, and they would be cold when they are used. */
Test(steer_record, go_at_the_pace_at_which_they_came)
{
	enum { EACH = 20 };
	struct steer_records *rs = steer_records_new(1 << 17, SECOND);
	uint64_t key = 0;

	for (uint64_t now = YEAR; now < YEAR + 4 * SECOND; now += TICK) {
		uint32_t removed = steer_records_tick(rs, now, UINT32_MAX);

		cr_assert(removed <= 2 * EACH, "%u at %lu", removed, now);
		cr_assert(removed >= EACH / 2 || now < YEAR + 2 * SECOND, "%u at %lu", removed,
			  now);
		for (int i = 0; i < EACH; i++)
			cr_assert_not_null(steer_records_insert(rs, ++key, now, SECOND));
	}
	steer_records_free(rs);
}

/* The wheel has stood still for many turns when records come that would lie anywhere on it: none
 * may land on the list being worked off and keep it there. */
Test(steer_record, wheel_that_was_left_standing_goes_on)
{
	enum { N = 250 };
	struct steer_records *rs = steer_records_new(512, HOLD);
	uint64_t now = 1000 * HOLD + 12345;

	steer_records_insert(rs, 1, 0, HOLD);
	for (uint64_t i = 1; i <= N; i++)
		steer_records_insert(rs, 1000 + i, now, HOLD * i / N);
	for (uint64_t i = 0; i <= N; i++) {
		uint64_t t = now + HOLD * i / N + SECOND;

		steer_records_tick(rs, t, 1000);
		cr_expect(steer_records_in_use(rs) <= N - i, "%lu: %u are there", i,
			  steer_records_in_use(rs));
	}
	steer_records_free(rs);
}

/* A day without a call: the first records are put where they belong, and not where the wheel was.
 */
Test(steer_record, wheel_starts_from_the_time_of_its_first_record)
{
	struct steer_records *rs = steer_records_new(1024, HOLD);

	steer_records_insert(rs, 1, YEAR, SECOND);
	for (uint64_t key = 2; key <= 1000; key++)
		steer_records_insert(rs, key, YEAR, HOLD);
	cr_expect(steer_records_tick(rs, YEAR + 2 * SECOND, 20) == 1);
	steer_records_free(rs);
}

/* ---- The model ---- */

#define MODEL_KEYS 700

struct model {
	uint64_t expires[MODEL_KEYS]; /* by key - 1; 0: not there */
	uint32_t member[MODEL_KEYS];
	uint32_t capacity;
};

/* Keys that have much in common, and keys that have nothing. */
static uint64_t key_of(size_t i, bool scattered)
{
	return scattered ? (i + 1) * 0xd1342543de82ef95ull : i + 1;
}

static void check_all(struct steer_records *rs, const struct model *m, bool scattered, uint64_t now,
		      uint64_t step)
{
	for (size_t i = 0; i < MODEL_KEYS; i++) {
		struct steer_record *r = steer_records_find(rs, key_of(i, scattered), now);

		cr_assert((r != NULL) == (m->expires[i] > now), "step %lu, key %zu", step, i);
		if (r != NULL)
			cr_assert(r->expires_us == m->expires[i] && r->member == m->member[i],
				  "step %lu, key %zu", step, i);
	}
}

static void model_insert(struct steer_records *rs, struct model *m, size_t i, uint64_t key,
			 uint64_t now, uint64_t hold)
{
	uint32_t in_use = steer_records_in_use(rs);
	struct steer_record *r = steer_records_insert(rs, key, now, hold);

	if (r == NULL) {
		cr_assert(in_use == m->capacity && m->expires[i] <= now);
		return;
	}
	if (m->expires[i] <= now) {
		cr_assert(r->member == 0 && r->state == 0);
		m->expires[i] = now + hold;
		r->member = m->member[i] = (uint32_t)(now * 7 + i);
	}
}

static void run_model(uint64_t seed, uint32_t n, bool scattered, uint64_t max_skip)
{
	struct steer_records *rs = steer_records_new(n, HOLD);
	struct model *m = calloc(1, sizeof(*m));
	uint64_t now = below(&seed, YEAR);

	m->capacity = n;
	for (uint64_t step = 0; step < 200000; step++) {
		size_t i = below(&seed, MODEL_KEYS);
		uint64_t key = key_of(i, scattered), hold = below(&seed, HOLD + 1);
		struct steer_record *r = steer_records_find(rs, key, now);

		cr_assert((r != NULL) == (m->expires[i] > now), "step %lu", step);
		switch (below(&seed, 8)) {
		case 0:
		case 1:
		case 2: model_insert(rs, m, i, key, now, hold); break;
		case 3:
			if (r != NULL) {
				steer_records_hold(rs, r, now, hold);
				m->expires[i] = now + hold;
			}
			break;
		case 4:
			if (r != NULL) {
				steer_records_remove(rs, r);
				m->expires[i] = 0;
			}
			break;
		case 5: /* less than one batch, or several */
			steer_records_tick(rs, now,
					   (uint32_t)below(&seed, below(&seed, 4) ? 20 : 400));
			break;
		case 6: now += below(&seed, SECOND / 10); break;
		default:
			if (below(&seed, 500) == 0)
				now += below(&seed, max_skip);
		}
		if (step % 997 == 0)
			check_all(rs, m, scattered, now, step);
	}
	now += HOLD + SECOND;
	steer_records_tick(rs, now, UINT32_MAX);
	cr_expect(steer_records_in_use(rs) == 0, "%u are left", steer_records_in_use(rs));
	for (uint64_t key = 1; key <= n; key++)
		cr_assert_not_null(steer_records_insert(rs, key, now, 1), "all are free again");
	steer_records_free(rs);
	free(m);
}

Test(steer_record, random_operations_agree_with_a_model)
{
	run_model(1, 1024, true, SECOND);
	run_model(2, 1024, false, SECOND);
}

Test(steer_record, random_operations_agree_with_a_model_when_often_full)
{
	run_model(3, 256, true, HOLD);
	run_model(4, 64, false, HOLD);
}

Test(steer_record, random_operations_agree_with_a_model_when_years_are_skipped)
{
	run_model(5, 1024, true, 100 * YEAR);
	run_model(6, 256, false, 100 * YEAR);
}

/* All records of a large table, several times over, at nine tenths full: as in a busy day. */
Test(steer_record, a_large_table_stays_whole_at_90_percent)
{
	enum { N = 1 << 16, LIVE = N / 10 * 9 };
	struct steer_records *rs = steer_records_new(N, HOLD);
	uint64_t now = 3 * YEAR;
	uint64_t step = HOLD / LIVE;

	for (uint64_t key = 1; key <= 6 * N; key++, now += step) {
		if (key % 64 == 0)
			steer_records_tick(rs, now, 200);
		cr_assert_not_null(steer_records_insert(rs, key * 0xd1342543de82ef95ull, now, HOLD),
				   "%lu: %u in use", key, steer_records_in_use(rs));
		if (key > LIVE)
			cr_assert_not_null(steer_records_find(
				rs, (key - LIVE + 2) * 0xd1342543de82ef95ull, now));
	}
	cr_expect(steer_records_in_use(rs) >= LIVE);
	cr_expect(steer_records_in_use(rs) <= LIVE + LIVE / 30, "%u", steer_records_in_use(rs));
	steer_records_free(rs);
}
