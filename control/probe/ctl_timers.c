#include "control/probe/ctl_timers.h"

#include <stddef.h>

static bool before(const struct ctl_timer *a, const struct ctl_timer *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

/* Both are roots of their own. */
static struct ctl_timer *meld(struct ctl_timer *a, struct ctl_timer *b)
{
	struct ctl_timer *t;

	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (before(b, a)) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Two passes: melding neighbours left to right, then all right to left, is what keeps the cost
 * logarithmic. */
static struct ctl_timer *meld_all(struct ctl_timer *first)
{
	struct ctl_timer *pairs = NULL, *root = NULL;

	while (first != NULL) {
		struct ctl_timer *a = first, *b = a->next;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct ctl_timer *a = pairs;

		pairs = a->next;
		a->next = NULL;
		root = meld(root, a);
	}
	return root;
}

static void take_out(struct ctl_timers *ts, struct ctl_timer *t)
{
	struct ctl_timer *rest = meld_all(t->child);

	if (ts->root == t) {
		ts->root = rest;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next != NULL)
			t->next->prev = t->prev;
		ts->root = meld(ts->root, rest);
	}
	t->child = t->next = t->prev = NULL;
	t->at_us = 0;
}

void ctl_timer_set(struct ctl_timers *ts, struct ctl_timer *t, uint64_t at_us)
{
	uint64_t was = ctl_timers_next(ts);

	/* What is set while timers fire is for the next run, or one that is due again and again
	 * would hold up everybody. */
	if (at_us <= ts->running_us)
		at_us = ts->running_us + 1;
	if (t->at_us == at_us)
		return;
	if (t->at_us != 0)
		take_out(ts, t);
	t->at_us = at_us;
	t->serial = ++ts->serial;
	ts->root = meld(ts->root, t);
	if (ts->sooner != NULL && (was == 0 || at_us < was))
		ts->sooner(ts->arg, at_us);
}

void ctl_timer_cancel(struct ctl_timers *ts, struct ctl_timer *t)
{
	if (t->at_us != 0)
		take_out(ts, t);
}

uint64_t ctl_timers_next(const struct ctl_timers *ts)
{
	return ts->root != NULL ? ts->root->at_us : 0;
}

unsigned int ctl_timers_run(struct ctl_timers *ts, uint64_t now_us)
{
	unsigned int n = 0;

	if (ts->before != NULL && ts->root != NULL && ts->root->at_us <= now_us)
		ts->before(ts->before_arg);
	ts->running_us = now_us;
	while (ts->root != NULL && ts->root->at_us <= now_us) {
		struct ctl_timer *t = ts->root;

		take_out(ts, t);
		t->fire(t, now_us);
		n++;
	}
	ts->running_us = 0;
	return n;
}
