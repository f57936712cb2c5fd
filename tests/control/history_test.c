/* The history of events: order, bounds, followers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "control/base/ctl_history.h"

static struct ctl_history *h;

static void add(const char *pair, const char *cause)
{
	const struct ctl_event e = { .pair = pair,
				     .member = "m",
				     .from = "primary",
				     .to = "backup",
				     .cause = cause,
				     .evidence = "so it was",
				     .who = pair == NULL ? "alice" : NULL };

	ctl_history_add(h, &e);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "(null)";
}

/* All causes, joined. */
static const char *causes(const char *pair)
{
	static char out[1024];
	json_t *all = ctl_history_json(h, pair), *e;
	size_t i;

	out[0] = '\0';
	json_array_foreach(all, i, e)
	{
		strcat(out, text(e, "cause"));
		strcat(out, " ");
	}
	json_decref(all);
	return out;
}

static void fini(void)
{
	ctl_history_free(h);
}

TestSuite(history, .fini = fini);

Test(history, an_event_has_all_its_fields)
{
	json_t *all, *e;

	h = ctl_history_new(10, 10);
	add("east", "probe-timeout");
	add(NULL, "own-link-lost");
	all = ctl_history_json(h, NULL);
	cr_assert_eq(json_array_size(all), 2);
	e = json_array_get(all, 0);
	cr_expect_str_eq(text(e, "pair"), "east");
	cr_expect_str_eq(text(e, "member"), "m");
	cr_expect_str_eq(text(e, "from"), "primary");
	cr_expect_str_eq(text(e, "to"), "backup");
	cr_expect_str_eq(text(e, "cause"), "probe-timeout");
	cr_expect_str_eq(text(e, "evidence"), "so it was");
	cr_expect(json_is_null(json_object_get(e, "who")));
	cr_expect_eq(strlen(text(e, "time")), strlen("2026-01-01T00:00:00.000000Z"));
	cr_expect_eq(json_integer_value(json_object_get(e, "serial")), 1);
	e = json_array_get(all, 1);
	cr_expect(json_is_null(json_object_get(e, "pair")));
	cr_expect_str_eq(text(e, "who"), "alice");
	json_decref(all);
}

Test(history, a_noisy_pair_pushes_out_its_own_events_only)
{
	h = ctl_history_new(3, 100);
	add("east", "1");
	for (char c = 'a'; c < 'k'; c++)
		add("west", (char[]){ c, '\0' });
	add("east", "2");
	cr_expect_str_eq(causes("west"), "h i j ");
	cr_expect_str_eq(causes("east"), "1 2 ");
	cr_expect_str_eq(causes(NULL), "1 h i j 2 ");
	cr_expect_str_eq(causes("north"), "");
}

Test(history, the_whole_is_bounded_too)
{
	h = ctl_history_new(100, 4);
	for (int i = 0; i < 9; i++) {
		char pair[8], cause[8];

		snprintf(pair, sizeof(pair), "p%d", i);
		snprintf(cause, sizeof(cause), "%d", i);
		add(i == 4 ? NULL : pair, cause);
	}
	cr_expect_str_eq(causes(NULL), "5 6 7 8 ");
	cr_expect_str_eq(causes("p3"), "");
	cr_expect_str_eq(causes("p8"), "8 ");
}

static unsigned int n_told;

static void count(void *arg, const json_t *e)
{
	n_told++;
	*(json_int_t *)arg = json_integer_value(json_object_get(e, "serial"));
}

static void leave(void *arg, const json_t *e)
{
	(void)e;
	n_told++;
	ctl_history_unfollow(h, leave, arg);
}

static void talk(void *arg, const json_t *e)
{
	(void)arg;
	if (json_integer_value(json_object_get(e, "serial")) < 5)
		add("east", "echo");
}

Test(history, followers_are_told_of_what_comes_and_may_leave_meanwhile)
{
	json_int_t last = 0, other = 0;

	h = ctl_history_new(10, 10);
	add("east", "before");
	cr_assert_eq(ctl_history_follow(h, leave, NULL), 0);
	cr_assert_eq(ctl_history_follow(h, count, &last), 0);
	cr_assert_eq(ctl_history_follow(h, count, &other), 0);
	add("east", "one");
	cr_expect_eq(n_told, 3);
	cr_expect_eq(last, 2);
	add("east", "two");
	cr_expect_eq(n_told, 5);
	ctl_history_unfollow(h, count, &last);
	add("east", "three");
	cr_expect_eq(last, 3);
	cr_expect_eq(other, 4);
	ctl_history_unfollow(h, count, &last);
}

Test(history, a_follower_may_add)
{
	json_int_t last = 0;

	h = ctl_history_new(10, 10);
	cr_assert_eq(ctl_history_follow(h, talk, NULL), 0);
	cr_assert_eq(ctl_history_follow(h, count, &last), 0);
	add("east", "one");
	cr_expect_eq(n_told, 5);
	cr_expect_str_eq(causes("east"), "one echo echo echo echo ");
}
