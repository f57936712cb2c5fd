/*
 * Timers: `timer` fires when the pause after a failure is over, or an offer that was taken must be
 * taken for lost.
 */
#include "control/pair/ctl_trial.h"

#include "control/pair/ctl_pairs_int.h"

static _Atomic uint32_t *offer_of(const struct ctl_pairs_pair *rp)
{
	return &rp->ps->trials[rp->number];
}

/* The member has gone or was disabled; or the data plane that took the offer has gone, and its
 * word on it will never come. */
static bool is_void(const struct ctl_pairs_pair *rp, uint64_t now_us)
{
	const struct ctl_pair_member *m = &rp->st.m[rp->trial.slot];
	const struct ctl_trial *t = &rp->trial;

	return !m->present || m->disabled || (t->taken && now_us >= t->look_us);
}

/* Nobody can take it from here on; who has it already, ends it. */
static void withdraw(struct ctl_pairs_pair *rp)
{
	atomic_fetch_or_explicit(offer_of(rp), DP_TRIAL_TAKEN, memory_order_relaxed);
	rp->trial.open = false;
}

static void offer(struct ctl_pairs_pair *rp, unsigned int slot, uint64_t now_us)
{
	struct ctl_trial *t = &rp->trial;

	t->number = (t->number + 1) & (UINT32_MAX >> 5);
	t->slot = (uint8_t)slot;
	t->open = true;
	t->taken = false;
	t->look_us = now_us + CTL_TRIAL_LOST_US;
	/* Release: the slot is one that the published snapshot has. Partner: the worker's compare
	 * and exchange, which follows its acquiring load of the word. */
	atomic_store_explicit(offer_of(rp), dp_trial(t->number, slot), memory_order_release);
}

/* A taken offer has the time until the next look to be heard of. */
static void look(struct ctl_pairs_pair *rp, uint64_t now_us)
{
	struct ctl_trial *t = &rp->trial;

	if (now_us < t->look_us)
		return;
	t->taken = atomic_load_explicit(offer_of(rp), memory_order_relaxed) & DP_TRIAL_TAKEN;
	t->look_us = now_us + CTL_TRIAL_LOST_US;
}

bool ctl_trial_follow(struct ctl_pairs_pair *rp)
{
	struct ctl_pairs *ps = rp->ps;
	struct ctl_trial *t = &rp->trial;
	uint64_t now_us = ps->io.now_us(ps->io.arg);
	unsigned int slot;

	if (ps->trials == NULL)
		return false;
	slot = ctl_pair_signal_slot(&rp->st, &rp->conf, t->slot, now_us);
	if (slot == CTL_PAIR_NONE) {
		if (t->open)
			withdraw(rp);
		t->pause_us = 0; /* a new failure of the primary begins anew */
		t->next_us = 0;
		ctl_timer_cancel(ps->io.timers, &t->timer);
		return false;
	}
	if (t->open && is_void(rp, now_us))
		withdraw(rp);
	if (!t->open && now_us >= t->next_us)
		offer(rp, slot, now_us);
	if (t->open)
		look(rp, now_us);
	ctl_timer_set(ps->io.timers, &t->timer, t->open ? t->look_us : t->next_us);
	return t->open;
}

bool ctl_trial_ended(struct ctl_pairs_pair *rp, uint64_t number, unsigned int slot)
{
	struct ctl_trial *t = &rp->trial;

	if (!t->open || number != t->number || slot != t->slot)
		return false;
	t->open = false;
	t->pause_us = t->pause_us != 0 ? 2 * t->pause_us : CTL_TRIAL_PAUSE_US;
	if (t->pause_us > CTL_TRIAL_PAUSE_MAX_US)
		t->pause_us = CTL_TRIAL_PAUSE_MAX_US;
	t->next_us = rp->ps->io.now_us(rp->ps->io.arg) + t->pause_us;
	return true;
}
