/*
 * Drafts: whatever changes a model goes through, and in whatever order, the draft says what a block
 * built from nothing says.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/snapshot/ctl_draft.h"
#include "tests/control/cfg_same.h"
#include "tests/leaks.h"

#define PAIRS    8
#define MEMBERS  5
#define NAMES    40 /* more than there are members, so that slots are given up and taken */
#define IPS      12 /* few, so that members of several pairs are in one place */
#define PORTS    3
#define N_ROUNDS 400

void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static size_t fail_at, n_allocations; /* fail_at: 0: none fails */

static bool fails(void)
{
	return ++n_allocations == fail_at;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

TestSuite(draft, .fini = leaks_check);

/* ---- A model that changes at random: all in static storage */

struct world {
	uint64_t seed, now_ms;
	struct ctl_model m;
	struct ctl_pair pairs[PAIRS];
	struct ctl_member members[PAIRS][MEMBERS];
	struct ctl_source prefixes[PAIRS];
	struct ctl_service services[2];
	struct ctl_listen listens[2];
	unsigned int lists[2][PAIRS];
	unsigned int next_pair;
	char names[NAMES][8], pair_names[PAIRS * 8][16];
	struct ctl_numbers *numbers;
	struct ctl_secrets secrets;
};

static uint32_t any(struct world *w, uint32_t n)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->seed >> 33) % n;
}

static struct sip_ip ip(unsigned int i)
{
	char text[32];
	struct sip_ip ip;

	snprintf(text, sizeof(text), i % 4 == 3 ? "2001:db8::%u" : "198.51.100.%u", i + 1);
	cr_assert(dp_ip_parse(text, &ip) == 0);
	return ip;
}

static struct dp_endpoint place(unsigned int i, unsigned int port, unsigned int transport)
{
	return (struct dp_endpoint){ .ip = ip(i),
				     .port = (uint16_t)(5060 + port),
				     .transport = (uint8_t)transport };
}

static struct dp_endpoint any_place(struct world *w)
{
	if (any(w, 16) == 0)
		return (struct dp_endpoint){ 0 }; /* a name that has no address yet */
	return place(any(w, IPS), any(w, PORTS), any(w, 3));
}

/* A name that no other member of the pair has. */
static char *any_name(struct world *w, const struct ctl_pair *p)
{
	for (;;) {
		char *name = w->names[any(w, NAMES)];
		size_t i = 0;

		while (i < p->n_members && p->members[i].name != name)
			i++;
		if (i == p->n_members)
			return name;
	}
}

static void add_member(struct world *w, struct ctl_pair *p)
{
	if (p->n_members == MEMBERS)
		return;
	p->members[p->n_members] =
		(struct ctl_member){ .name = any_name(w, p),
				     .role = p->n_members == 0 ? DP_ROLE_PRIMARY : DP_ROLE_BACKUP,
				     .at = any_place(w),
				     .methods = UINT32_MAX };
	p->n_members++;
}

static void remove_member(struct world *w, struct ctl_pair *p)
{
	size_t i = any(w, (uint32_t)p->n_members);

	if (p->n_members == 1)
		return;
	p->n_members--;
	memmove(p->members + i, p->members + i + 1, (p->n_members - i) * sizeof(*p->members));
}

/* As the configuration does, whoever names the pairs. */
static void list_pairs(struct world *w)
{
	for (size_t s = 0; s < 2; s++) {
		w->services[s].n_pairs = 0;
		for (unsigned int i = 0; i < w->m.n_pairs; i++) {
			if (s == 0 || w->pairs[i].weight > 1)
				w->lists[s][w->services[s].n_pairs++] = i;
		}
	}
}

static void add_pair(struct world *w)
{
	struct ctl_pair *p = &w->pairs[w->m.n_pairs];
	struct ctl_member *members = w->members[w->next_pair % PAIRS];

	if (w->m.n_pairs == PAIRS)
		return;
	/* Its members' room is that of a pair that has gone. */
	for (size_t i = 0; i < w->m.n_pairs; i++) {
		if (w->pairs[i].members == members) {
			members = w->members[++w->next_pair % PAIRS];
			i = SIZE_MAX;
		}
	}
	*p = (struct ctl_pair){ .name = w->pair_names[w->next_pair++ % (PAIRS * 8)],
				.weight = 1 + any(w, 2),
				.members = members };
	w->m.n_pairs++;
	add_member(w, p);
	add_member(w, p);
}

static void remove_pair(struct world *w)
{
	size_t i = any(w, (uint32_t)w->m.n_pairs);

	if (w->m.n_pairs == 1)
		return;
	w->m.n_pairs--;
	memmove(w->pairs + i, w->pairs + i + 1, (w->m.n_pairs - i) * sizeof(*w->pairs));
}

static void swap_pairs(struct world *w)
{
	size_t i = any(w, (uint32_t)w->m.n_pairs), k = any(w, (uint32_t)w->m.n_pairs);
	struct ctl_pair t = w->pairs[i];

	w->pairs[i] = w->pairs[k];
	w->pairs[k] = t;
}

static void swap_members(struct world *w, struct ctl_pair *p)
{
	size_t i = any(w, (uint32_t)p->n_members), k = any(w, (uint32_t)p->n_members);
	struct ctl_member t = p->members[i];

	p->members[i] = p->members[k];
	p->members[k] = t;
}

static void change_settings(struct world *w, struct ctl_pair *p)
{
	p->set.failover_methods = any(w, 4);
	p->set.signal_methods = any(w, 4);
	p->set.no_response_ms = any(w, 3) * 1000;
	p->set.retry_counts = any(w, 5);
	p->set.shares = any(w, 2);
	p->set.concurrent = any(w, 2);
}

/* What all blocks of one shape have in common. */
static void change_shape(struct world *w, struct ctl_pair *p)
{
	switch (any(w, 10)) {
	case 0: add_pair(w); break;
	case 1: remove_pair(w); break;
	case 2: swap_pairs(w); break;
	case 8:
	case 9:
	case 3: p->weight = 1 + any(w, 6); break;
	case 4:
		p->egress[0] = any(w, 2) ? place(100 + any(w, 2) * 4, 0, DP_UDP)
					 : (struct dp_endpoint){ 0 };
		break;
	case 5:
		w->prefixes[p - w->pairs] =
			(struct ctl_source){ .ip = ip(any(w, IPS)),
					     .prefix_len = (uint8_t)(112 + any(w, 8)) };
		p->sources = &w->prefixes[p - w->pairs];
		p->n_sources = any(w, 2);
		break;
	case 6: w->services[any(w, 2)].answers_per_s = any(w, 3); break;
	default: w->secrets.key[0].b[0] ^= 1;
	}
}

static void change(struct world *w)
{
	struct ctl_pair *p = &w->pairs[any(w, (uint32_t)w->m.n_pairs)];

	switch (any(w, 32)) {
	case 0:
	case 18: change_shape(w, p); break;
	case 1:
	case 2: change_settings(w, p); break;
	case 3:
	case 4: swap_members(w, p); break;
	case 5: p->members[any(w, (uint32_t)p->n_members)].role = DP_ROLE_FALLBACK; break;
	case 6: p->members[any(w, (uint32_t)p->n_members)].methods = any(w, 3); break;
	case 7:
	case 8:
	case 9: add_member(w, p); break;
	case 10:
	case 11:
	case 12: remove_member(w, p); break;
	case 13:
	case 14:
	case 15:
	case 16: p->members[any(w, (uint32_t)p->n_members)].name = any_name(w, p); break;
	case 17: w->now_ms += CTL_NUMBER_GRACE_MS; break;
	default: p->members[any(w, (uint32_t)p->n_members)].at = any_place(w);
	}
	list_pairs(w);
}

static void world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){ .seed = seed, .now_ms = 1, .secrets = { .n = 1 } };
	for (unsigned int i = 0; i < NAMES; i++)
		snprintf(w->names[i], sizeof(w->names[i]), "m%u", i * 7);
	for (unsigned int i = 0; i < PAIRS * 8; i++)
		snprintf(w->pair_names[i], sizeof(w->pair_names[i]), "pair-%u", i);
	w->listens[0] = (struct ctl_listen){ .at = place(200, 0, DP_UDP) };
	w->listens[1] = (struct ctl_listen){ .at = place(203, 0, DP_UDP) };
	for (unsigned int s = 0; s < 2; s++)
		w->services[s] = (struct ctl_service){ .name = s ? "video" : "voice",
						       .n_listens = 1,
						       .listens = &w->listens[s],
						       .pairs = w->lists[s] };
	w->m = (struct ctl_model){
		.instance = "one", .n_services = 2, .services = w->services, .pairs = w->pairs
	};
	for (int i = 0; i < PAIRS / 2; i++)
		add_pair(w);
	list_pairs(w);
	w->numbers = ctl_numbers_new();
	cr_assert(w->numbers != NULL);
}

/* Numbers for what the model is now; where none is free, time goes by. */
static void assign(struct world *w)
{
	w->now_ms += 10;
	while (ctl_numbers_assign(w->numbers, &w->m, w->now_ms) != 0)
		w->now_ms += CTL_NUMBER_GRACE_MS;
}

static void must_be_same(const struct dp_cfg *got, const struct dp_cfg *want, uint64_t seed,
			 int round)
{
	const char *why = cfg_same_rows(got, want);

	for (unsigned int i = 0; !why && i < IPS; i++) {
		for (unsigned int k = 0; !why && k < PORTS * 3; k++) {
			struct dp_endpoint at = place(i, k / 3, k % 3);

			why = cfg_same_at(got, want, &at);
			at.port = 9;
			why = why ? why : cfg_same_at(got, want, &at);
		}
	}
	cr_assert(why == NULL, "seed %lu, round %d: %s", seed, round, why);
}

static void go_through(uint64_t seed, unsigned int *in_place, unsigned int *whole)
{
	static struct world w;
	struct ctl_draft *d = ctl_draft_new();
	struct dp_cfg *old = NULL, *want;

	world_init(&w, seed);
	for (int round = 0; round < N_ROUNDS; round++) {
		const struct dp_cfg *got;

		for (uint32_t n = any(&w, 3); n > 0; n--)
			change(&w);
		assign(&w);
		got = ctl_draft_update(d, &w.m, w.numbers, &w.secrets, old);
		want = ctl_build_cfg(&w.m, w.numbers, &w.secrets, old);
		cr_assert(got && want);
		must_be_same(got, want, seed, round);
		cr_assert(got->serial == want->serial);
		*(ctl_draft_stats(d).whole ? whole : in_place) += 1;
		free(old);
		old = want;
	}
	free(old);
	ctl_draft_free(d);
	ctl_numbers_free(w.numbers);
}

Test(draft, says_what_a_block_from_nothing_says_after_any_changes)
{
	static const uint64_t seeds[] = { 1, 2, 20261126 };

	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		unsigned int in_place = 0, whole = 0;

		go_through(seeds[i], &in_place, &whole);
		cr_expect(in_place > N_ROUNDS / 2 && whole > N_ROUNDS / 50, "%u in place, %u whole",
			  in_place, whole);
	}
}

Test(draft, writes_the_pairs_that_changed_and_no_others)
{
	static struct world w;
	struct ctl_draft *d = ctl_draft_new();

	world_init(&w, 3);
	assign(&w);
	cr_assert(ctl_draft_update(d, &w.m, w.numbers, &w.secrets, NULL));
	cr_expect(ctl_draft_stats(d).whole);
	cr_assert(ctl_draft_update(d, &w.m, w.numbers, &w.secrets, NULL));
	cr_expect(!ctl_draft_stats(d).whole && ctl_draft_stats(d).pairs == 0);
	w.pairs[1].members[0].at.port ^= 1;
	w.pairs[3].set.retry_counts = 9;
	cr_assert(ctl_draft_update(d, &w.m, w.numbers, &w.secrets, NULL));
	cr_expect(!ctl_draft_stats(d).whole && ctl_draft_stats(d).pairs == 2);
	ctl_draft_free(d);
	ctl_numbers_free(w.numbers);
}

/* Names are never taken back in place: at some time there is no room for another. */
Test(draft, is_built_anew_when_its_room_is_used_up)
{
	static struct world w;
	static char name[600];
	struct ctl_draft *d = ctl_draft_new();
	unsigned int whole = 0;

	world_init(&w, 4);
	memset(name, 'n', sizeof(name) - 1);
	w.pairs[0].members[0].name = name;
	for (int i = 0; i < 26; i++) {
		struct dp_cfg *want;
		const struct dp_cfg *got;

		name[0] = (char)('a' + i);
		w.now_ms += CTL_NUMBER_GRACE_MS;
		assign(&w);
		got = ctl_draft_update(d, &w.m, w.numbers, &w.secrets, NULL);
		want = ctl_build_cfg(&w.m, w.numbers, &w.secrets, NULL);
		cr_assert(got && want);
		must_be_same(got, want, 4, i);
		free(want);
		whole += ctl_draft_stats(d).whole;
	}
	cr_expect(whole > 2 && whole < 26, "%u", whole);
	ctl_draft_free(d);
	ctl_numbers_free(w.numbers);
}

/* The n-th allocation of an update fails, for every n: the next one makes up for it. */
static void fail_each(struct world *w, struct ctl_draft *d, bool shape)
{
	size_t n = 0, failed = 0;

	do {
		struct dp_cfg *want;
		const struct dp_cfg *got;

		w->pairs[0].members[0].at = place((unsigned int)n % IPS, 0, DP_UDP);
		w->services[0].answers_per_s += shape;
		n_allocations = 0;
		fail_at = ++n;
		got = ctl_draft_update(d, &w->m, w->numbers, &w->secrets, NULL);
		failed += fail_at <= n_allocations;
		fail_at = 0;
		want = ctl_build_cfg(&w->m, w->numbers, &w->secrets, NULL);
		if (got)
			must_be_same(got, want, 5, (int)n);
		got = ctl_draft_update(d, &w->m, w->numbers, &w->secrets, NULL);
		cr_assert(got != NULL);
		must_be_same(got, want, 5, (int)n);
		free(want);
	} while (failed == n);
	cr_expect(failed >= 4, "%zu", failed);
}

Test(draft, survives_the_failure_of_any_allocation)
{
	static struct world w;
	struct ctl_draft *d = ctl_draft_new();

	world_init(&w, 5);
	assign(&w);
	fail_each(&w, d, false);
	fail_each(&w, d, true);
	ctl_draft_free(d);
	ctl_numbers_free(w.numbers);
}
