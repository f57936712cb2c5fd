/*
 * The pairs' runtime in a virtual world: words, reloads, restarts, the state file, operators,
 * events of the data plane, our own link, JSON.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/control/pairs_world.h"

static struct world w;
static char directory[64], file[96];

static void setup(void)
{
	strcpy(directory, "/tmp/sipsteer-pairs-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/sub/state.json", directory);
	world_init(&w, NULL);
}

static void teardown(void)
{
	char sub[128];

	world_fini(&w);
	unlink(file);
	snprintf(sub, sizeof(sub), "%s.broken", file);
	unlink(sub);
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	rmdir(sub);
	cr_expect_eq(rmdir(directory), 0, "something is left in %s", directory);
}

TestSuite(pair_runtime, .init = setup, .fini = teardown);

#define EAST "east=east-a:5060,east-b:5061"
#define WEST "west=west-a:5062,west-b:5063"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "(null)";
}

static unsigned int slot(const char *pair, const char *member)
{
	int s = ctl_numbers_slot(w.numbers, pair, member);

	cr_assert_geq(s, 0);
	return (unsigned int)s;
}

static void kill_member(unsigned int port)
{
	w.mood[port - 5060] = WORLD_DEAD;
}

static void revive(unsigned int port)
{
	w.mood[port - 5060] = WORLD_ALIVE;
}

Test(pair_runtime, words_name_the_active_member_and_who_is_down)
{
	world_apply(&w, EAST " " WEST, false);
	cr_expect(world_word(&w, "east") & DP_WORD_VALID);
	cr_expect(world_word(&w, "east") & DP_WORD_UNKNOWN);
	cr_expect_eq(dp_word_active(world_word(&w, "east")), slot("east", "east-a"));
	world_run(&w, 3 * SEC);
	cr_expect_eq(world_word(&w, "east"), DP_WORD_VALID | slot("east", "east-a"));
	kill_member(5060);
	world_run(&w, 3 * SEC);
	cr_expect_eq(dp_word_active(world_word(&w, "east")), slot("east", "east-b"));
	cr_expect(dp_word_down(world_word(&w, "east"), slot("east", "east-a")));
	cr_expect_eq(world_word(&w, "west"), DP_WORD_VALID | slot("west", "west-a"));
}

Test(pair_runtime, json_has_the_names_of_the_contract)
{
	const json_t *p, *m;

	world_apply(&w, "east=east-a:5060,east-b:5061,east-c:5062", false);
	world_run(&w, 3 * SEC);
	kill_member(5060);
	world_run(&w, 3 * SEC);
	p = world_pair(&w, "east");
	cr_expect_str_eq(text(p, "name"), "east");
	cr_expect_str_eq(text(p, "state"), "backup");
	cr_expect_str_eq(text(p, "active"), "east-b");
	cr_assert_eq(json_array_size(json_object_get(p, "members")), 3);
	m = json_array_get(json_object_get(p, "members"), 0);
	cr_expect_str_eq(text(m, "name"), "east-a");
	cr_expect_str_eq(text(m, "role"), "primary");
	cr_expect_str_eq(text(m, "address"), "192.0.2.1");
	cr_expect_str_eq(text(m, "transport"), "udp");
	cr_expect_str_eq(text(m, "state"), "down");
	cr_expect_eq(json_integer_value(json_object_get(m, "port")), 5060);
	cr_expect_eq(json_integer_value(json_object_get(m, "last_rtt_us")), 1000);
	cr_expect_eq(strlen(text(m, "last_change")), strlen("2026-01-01T00:00:00.000000Z"));
	m = json_array_get(json_object_get(p, "members"), 2);
	cr_expect_str_eq(text(m, "role"), "fallback");
	cr_expect_str_eq(text(m, "state"), "up");
	cr_expect_gt(json_array_size(json_object_get(p, "events")), 1);
	cr_expect_null(world_pair(&w, "nowhere"));
	json_t *all = ctl_pairs_json(w.ps);

	cr_expect_eq(json_array_size(all), 1);
	json_decref(all);
}

Test(pair_runtime, a_pair_without_members_alive_has_an_active_one_all_the_same)
{
	kill_member(5060);
	kill_member(5061);
	world_apply(&w, EAST, false);
	world_run(&w, 10 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "out-of-service");
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
	cr_expect(world_word(&w, "east") & DP_WORD_OUT_OF_SERVICE);
}

Test(pair_runtime, events_say_what_happened_and_why)
{
	const json_t *e;

	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	kill_member(5060);
	world_run(&w, 3 * SEC);
	e = world_last_event(&w, "east");
	cr_expect_str_eq(text(e, "from"), "primary");
	cr_expect_str_eq(text(e, "to"), "backup");
	cr_expect_str_eq(text(e, "cause"), "probe-timeout");
	cr_expect_not_null(strstr(text(e, "evidence"), "east-a"), "%s", text(e, "evidence"));
	cr_expect_not_null(strstr(text(e, "evidence"), "east-b"));
	cr_expect(json_is_null(json_object_get(e, "who")));
}

/* ---- Operators */

Test(pair_runtime, operators_commands)
{
	char err[256] = "";

	world_apply(&w, EAST " west=west-a:5062,both:5063 north=north-a:5064,both:5065", false);
	world_run(&w, 3 * SEC);
	cr_expect_eq(ctl_pairs_switch(w.ps, "east", NULL, "alice", err), 0);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_str_eq(text(world_last_event(&w, "east"), "who"), "alice");
	cr_expect_eq(ctl_pairs_switch(w.ps, "east", "east-b", "alice", err), -EINVAL);
	cr_expect_not_null(strstr(err, "is the active member already"), "%s", err);
	cr_expect_eq(ctl_pairs_switch(w.ps, "east", "east-z", "alice", err), -ENOENT);
	cr_expect_not_null(strstr(err, "east-z"), "%s", err);
	cr_expect_eq(ctl_pairs_switch(w.ps, "nowhere", NULL, "alice", err), -ENOENT);
	cr_expect_eq(ctl_pairs_drain(w.ps, "east-b", "bob", err), 0);
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
	cr_expect_eq(ctl_pairs_enable(w.ps, "east-b", "bob", err), 0);
	cr_expect_eq(ctl_pairs_pin(w.ps, "east", true, "bob", err), 0);
	cr_expect_eq(ctl_pairs_disable(w.ps, "east-a", "bob", err), -EINVAL);
	cr_expect_eq(ctl_pairs_pin(w.ps, "east", false, "bob", err), 0);
	cr_expect_eq(ctl_pairs_disable(w.ps, "both", "bob", err), -ENOENT);
	cr_expect_not_null(strstr(err, "several pairs"), "%s", err);
	cr_expect_eq(ctl_pairs_disable(w.ps, "north/both", "bob", err), 0);
	cr_expect(dp_word_down(world_word(&w, "north"), slot("north", "both")));
	cr_expect_not(dp_word_down(world_word(&w, "west"), slot("west", "both")));
	cr_expect_eq(ctl_pairs_disable(w.ps, "nobody", "bob", err), -ENOENT);
}

Test(pair_runtime, members_have_the_data_planes_numbers)
{
	world_apply(&w, EAST " " WEST, false);
	cr_expect_eq(ctl_pairs_member_number(w.ps, "west-b"),
		     ctl_numbers_pair(w.numbers, "west") * DP_PAIR_MEMBERS
			     + (int)slot("west", "west-b"));
	cr_expect_eq(ctl_pairs_member_number(w.ps, "west/west-b"),
		     ctl_pairs_member_number(w.ps, "west-b"));
	cr_expect_eq(ctl_pairs_member_number(w.ps, "nobody"), -ENOENT);
}

/* ---- The data plane's events */

static void event(const char *member, uint32_t type, uint32_t value, uint64_t id, uint64_t age_us)
{
	const struct dp_event ev = { .type = type,
				     .member = (uint32_t)ctl_pairs_member_number(w.ps, member),
				     .time_ns = (w.now_us - age_us) * 1000,
				     .value = value,
				     .id = id };

	ctl_pairs_dataplane_event(w.ps, &ev);
}

Test(pair_runtime, the_data_planes_events_raise_and_clear_suspicion)
{
	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	kill_member(5060);
	event("east-a", DP_EVENT_UNANSWERED, SIP_METHOD_INVITE, 0, 0);
	cr_expect(dp_word_suspect(world_word(&w, "east"), slot("east", "east-a")));
	event("east-a", DP_EVENT_ALIVE, 100, 0, 0);
	cr_expect_not(dp_word_suspect(world_word(&w, "east"), slot("east", "east-a")));
	world_run(&w, 300 * MS);
	event("east-a", DP_EVENT_RESPONSE_5XX, 503 << 8 | SIP_METHOD_INVITE, 0, 0);
	cr_expect(dp_word_suspect(world_word(&w, "east"), slot("east", "east-a")));
	world_run(&w, 100 * MS);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	event("east-b", DP_EVENT_ICMP, 3 << 8 | 1, 7, 0);
	event("east-b", DP_EVENT_ICMP, 3 << 8 | 1, 8, 0);
	cr_expect_str_eq(world_state(&w, "east"), "unknown");
}

Test(pair_runtime, stale_and_foreign_events_are_ignored)
{
	struct dp_event ev = { .type = DP_EVENT_UNANSWERED, .time_ns = w.now_us * 1000 };

	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	event("east-a", DP_EVENT_UNANSWERED, SIP_METHOD_INVITE, 0, 6 * SEC);
	cr_expect_eq(world_word(&w, "east"), DP_WORD_VALID | slot("east", "east-a"));
	for (ev.member = 0; ev.member < 2 * DP_PAIR_MEMBERS; ev.member++) {
		if (ev.member % DP_PAIR_MEMBERS > 1 || ev.member >= DP_PAIR_MEMBERS)
			ctl_pairs_dataplane_event(w.ps, &ev);
	}
	ev.member = UINT32_MAX;
	ctl_pairs_dataplane_event(w.ps, &ev);
	ev.member = 0;
	ev.type = 9999;
	ctl_pairs_dataplane_event(w.ps, &ev);
	cr_expect_eq(world_word(&w, "east"), DP_WORD_VALID | slot("east", "east-a"));
}

Test(pair_runtime, a_flood_of_doubts_is_a_few_probes)
{
	unsigned int before;

	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	before = w.n_sent[0];
	for (unsigned int i = 0; i < 100000; i++) {
		event("east-a", DP_EVENT_RESPONSE_5XX, 500 << 8 | SIP_METHOD_REGISTER, 0, 0);
		if (i % 100 == 0)
			world_run(&w, MS);
	}
	cr_expect_lt(w.n_sent[0] - before, 12, "%u probes", w.n_sent[0] - before);
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
}

/* ---- Reload */

Test(pair_runtime, a_reload_disturbs_nobody_who_stays)
{
	unsigned int words;

	world_apply(&w, EAST " " WEST, false);
	world_run(&w, 3 * SEC);
	kill_member(5060);
	world_run(&w, 3 * SEC);
	words = w.n_words;
	world_apply(&w, WEST " north=north-a:5064,north-b:5065 " EAST, false);
	cr_expect_str_eq(world_state(&w, "east"), "backup");
	cr_expect_str_eq(world_state(&w, "west"), "primary");
	cr_expect_str_eq(world_state(&w, "north"), "unknown");
	cr_expect_eq(w.n_words, words + 1, "only north's");
	world_apply(&w, WEST " north=north-a:5064,north-b:5065 " EAST, false);
	cr_expect_eq(w.n_words, words + 1);
}

Test(pair_runtime, retired_members_are_left_before_the_snapshot_forgets_them)
{
	struct ctl_model *next;

	world_apply(&w, "east=east-a:5060,east-b:5061,east-c:5062 " WEST, false);
	world_run(&w, 3 * SEC);
	next = world_model("east=east-b:5061,east-c:5062");
	ctl_pairs_retire(w.ps, next);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_eq(world_word(&w, "west"), 0);
	world_run(&w, 5 * SEC);
	world_apply(&w, "east=east-b:5061,east-c:5062", false);
	cr_expect_str_eq(world_state(&w, "east"), "primary", "its role has changed");
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_null(world_pair(&w, "west"));
	cr_expect_eq(w.n_targets, 2);
	for (size_t i = 0; i < next->n_pairs; i++) {
		for (size_t j = 0; j < next->pairs[i].n_members; j++) {
			free(next->pairs[i].members[j].name);
			free(next->pairs[i].members[j].host);
		}
		free(next->pairs[i].members);
		free(next->pairs[i].name);
	}
	free(next->pairs);
	free(next->pairs_by_name);
	free(next);
}

Test(pair_runtime, a_reload_that_fails_after_retire_can_go_back)
{
	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	struct ctl_model none = { 0 };

	none.pairs_by_name = calloc(1, sizeof(unsigned int));
	cr_assert_eq(ctl_numbers_assign(w.numbers, &none, w.now_us / 1000), 0);
	ctl_pairs_retire(w.ps, &none);
	cr_expect_eq(w.words[0], 0);
	world_run(&w, SEC);
	cr_expect_neq(ctl_pairs_apply(w.ps, w.model, w.numbers, NULL), 0,
		      "the numbers are the other model's");
	cr_assert_eq(ctl_pairs_go_back(w.ps, w.model, w.numbers, w.now_us / 1000, NULL), 0);
	world_run(&w, 3 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "primary");
	free(none.pairs_by_name);
}

Test(pair_runtime, a_member_that_moves_is_asked_anew)
{
	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	world_apply(&w, "east=east-a:5070,east-b:5061", false);
	cr_expect_str_eq(world_state(&w, "east"), "primary");
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
	world_run(&w, 3 * SEC);
	cr_expect_gt(w.n_sent[10], 1);
	cr_expect_str_eq(world_state(&w, "east"), "primary");
}

/* ---- Restarts */

Test(pair_runtime, a_restarted_control_adopts_the_words)
{
	char err[256];
	uint64_t before;

	world_fini(&w);
	world_init(&w, file);
	world_apply(&w, EAST " " WEST " north=north-a:5064,north-b:5065", false);
	world_run(&w, 3 * SEC);
	kill_member(5060);
	kill_member(5064);
	kill_member(5065);
	ctl_pairs_disable(w.ps, "west-a", "alice", err);
	world_run(&w, 10 * SEC);
	before = world_word(&w, "east");
	cr_expect_str_eq(world_state(&w, "north"), "out-of-service");
	world_stop(&w);
	w.n_words = 0;
	world_start(&w);
	world_apply(&w, EAST " " WEST " north=north-a:5064,north-b:5065", true);
	cr_expect_eq(w.n_words, 0, "nothing flips");
	cr_expect_str_eq(world_state(&w, "east"), "backup");
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_str_eq(world_state(&w, "north"), "out-of-service");
	cr_expect_str_eq(world_state(&w, "west"), "backup");
	world_run(&w, 10 * SEC);
	cr_expect_eq(world_word(&w, "east"), before);
	cr_expect(dp_word_down(world_word(&w, "west"), slot("west", "west-a")),
		  "disabled, not only down: it answers");
	cr_expect_str_eq(world_state(&w, "north"), "out-of-service");
}

Test(pair_runtime, without_words_the_state_file_says_who_was_active)
{
	char err[256];

	world_fini(&w);
	world_init(&w, file);
	world_apply(&w, EAST " " WEST, false);
	world_run(&w, 3 * SEC);
	cr_expect_eq(ctl_pairs_switch(w.ps, "east", NULL, "alice", err), 0);
	cr_expect_eq(ctl_pairs_pin(w.ps, "west", true, "alice", err), 0);
	cr_expect_eq(ctl_pairs_drain(w.ps, "west-b", "alice", err), 0);
	world_stop(&w);
	memset((void *)w.words, 0, sizeof(w.words));
	w.now_us = 20 * SEC; /* another boot */
	w.wall_us += 10000 * SEC;
	world_start(&w);
	world_apply(&w, EAST " " WEST, true);
	cr_expect_str_eq(world_state(&w, "east"), "unknown");
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	world_run(&w, 3 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "backup");
	cr_expect(json_is_true(json_object_get(world_pair(&w, "west"), "pinned")));
	cr_expect(dp_word_draining(world_word(&w, "west"), slot("west", "west-b")));
}

Test(pair_runtime, a_broken_state_file_is_set_aside)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"{\"version\":1}",
		"{\"version\":7,\"pairs\":{}}",
		"{\"version\":1,\"pairs\":[]}",
		"{\"version\":1,\"pairs\":{\"east\":7}}",
		"{\"version\":1,\"pairs\":{\"east\":{\"members\":[]}}}",
		"{\"version\":1,\"pairs\":{\"east\":{\"members\":{\"east-a\":1}}}}",
	};
	char aside[128], sub[96];

	world_fini(&w);
	snprintf(aside, sizeof(aside), "%s.broken", file);
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	mkdir(sub, 0700);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *f = fopen(file, "w");

		fputs(rows[i], f);
		fclose(f);
		unlink(aside);
		world_init(&w, file);
		cr_expect_eq(access(aside, F_OK), 0, "row %zu: not set aside", i);
		world_apply(&w, EAST, false);
		world_run(&w, 3 * SEC);
		cr_expect_str_eq(world_state(&w, "east"), "primary", "row %zu", i);
		world_fini(&w);
	}
	world_init(&w, file);
	cr_expect_not_null(w.ps->state, "what was written last is whole");
}

Test(pair_runtime, strange_values_in_the_state_file_do_no_harm)
{
	char sub[96];
	FILE *f;

	world_fini(&w);
	snprintf(sub, sizeof(sub), "%s/sub", directory);
	mkdir(sub, 0700);
	f = fopen(file, "w");
	fputs("{\"version\":1,\"pairs\":{\"east\":{\"active\":\"nobody\",\"flaps\":-5,"
	      "\"since\":99999999999999999,\"returned\":-3,\"failback\":9223372036854775807,"
	      "\"members\":{\"east-a\":{\"left\":99999999999999999},\"ghost\":{}}}}}",
	      f);
	fclose(f);
	world_init(&w, file);
	world_apply(&w, EAST, false);
	world_run(&w, 3 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "primary");
	kill_member(5060);
	world_run(&w, 3 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "backup");
}

/* ---- Our own link */

Test(pair_runtime, all_pairs_silent_together_is_our_own_link)
{
	world_apply(&w, EAST " " WEST, false);
	world_run(&w, 5 * SEC);
	for (unsigned int p = 5060; p < 5064; p++)
		kill_member(p);
	world_run(&w, 3 * SEC);
	cr_expect_str_eq(text(world_last_event(&w, NULL), "cause"), "own-link-lost");
	cr_expect_str_eq(world_active(&w, "east"), "east-a", "stays as it was");
	cr_expect_str_eq(world_active(&w, "west"), "west-a");
	cr_expect(json_is_true(json_object_get(world_pair(&w, "east"), "cut_off")));
	world_run(&w, 10 * SEC);
	cr_expect_str_eq(world_state(&w, "east"), "out-of-service", "its 503 still come");
	for (unsigned int p = 5060; p < 5064; p++)
		revive(p);
	world_run(&w, 2 * SEC);
	cr_expect_str_eq(text(world_last_event(&w, NULL), "cause"), "own-link-back");
	cr_expect_str_eq(world_state(&w, "east"), "primary");
	cr_expect_str_eq(world_state(&w, "west"), "primary");
}

Test(pair_runtime, one_pair_alone_or_one_after_the_other_is_not)
{
	world_apply(&w, EAST, false);
	world_run(&w, 5 * SEC);
	kill_member(5060);
	kill_member(5061);
	world_run(&w, 20 * SEC);
	cr_expect_null(world_last_event(&w, NULL), "one pair says nothing about our link");
	revive(5060);
	revive(5061);
	world_apply(&w, EAST " " WEST, false);
	world_run(&w, 20 * SEC);
	kill_member(5060);
	kill_member(5061);
	world_run(&w, 20 * SEC);
	kill_member(5062);
	kill_member(5063);
	world_run(&w, 20 * SEC);
	cr_expect_null(world_last_event(&w, NULL), "east was dead before");
	cr_expect_str_eq(world_state(&w, "west"), "out-of-service");
}

Test(pair_runtime, a_dead_pair_more_does_not_hide_a_lost_link)
{
	world_apply(&w, EAST " " WEST " north=north-a:5064,north-b:5065", false);
	kill_member(5064);
	kill_member(5065);
	world_run(&w, 20 * SEC);
	for (unsigned int p = 5060; p < 5064; p++)
		kill_member(p);
	world_run(&w, 5 * SEC);
	cr_expect_str_eq(text(world_last_event(&w, NULL), "cause"), "own-link-lost");
}

/* The first answer ends the cut; who was not asked again since then is no proof of another one. */
Test(pair_runtime, a_silence_of_before_the_answer_is_no_new_cut)
{
	struct ctl_cut c = { 0 };
	struct ctl_cut_pair p[3] = { 0 };

	for (unsigned int i = 0; i < 3; i++)
		ctl_cut_update(&c, &p[i], CTL_HEARD, 100, 50, 100);
	for (unsigned int i = 0; i < 3; i++)
		ctl_cut_update(&c, &p[i], CTL_SILENT, 100, 50, 130);
	cr_expect(ctl_cut_went_together(&c, &p[0]));
	cr_expect(ctl_cut_judge(&c, 3));
	cr_expect(ctl_cut_heard(&c, 140));
	ctl_cut_update(&c, &p[2], CTL_NOT_ASKED, 140, 50, 140);
	cr_expect(ctl_cut_update(&c, &p[0], CTL_SILENT, 100, 50, 141),
		  "all who are asked are silent");
	cr_expect_not(ctl_cut_went_together(&c, &p[0]));
	cr_expect_not(ctl_cut_went_together(&c, &p[1]));
}
