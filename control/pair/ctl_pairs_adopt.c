/*
 * Taking up what was before: a word in force (control was restarted, the data plane went on), or
 * the state file (the host was). Clocks: the file has wall-clock times, the machine monotonic ones.
 */
#include <stdlib.h>
#include <string.h>

#include "control/pair/ctl_pairs_int.h"

static uint64_t to_mono(const struct ctl_pairs *ps, uint64_t wall_us)
{
	uint64_t now_us = ps->io.now_us(ps->io.arg), wall_now = ps->io.wall_us(ps->io.arg);

	if (wall_us == 0)
		return 0;
	if (wall_us >= wall_now)
		return now_us + (wall_us - wall_now);
	return wall_now - wall_us < now_us ? now_us - (wall_now - wall_us) : 1;
}

static uint64_t to_wall(const struct ctl_pairs *ps, uint64_t mono_us)
{
	uint64_t now_us = ps->io.now_us(ps->io.arg), wall_now = ps->io.wall_us(ps->io.arg);

	if (mono_us == 0)
		return 0;
	if (mono_us >= now_us)
		return wall_now + (mono_us - now_us);
	return wall_now > now_us - mono_us ? wall_now - (now_us - mono_us) : 1;
}

uint64_t ctl_pairs_wall(const struct ctl_pairs *ps, uint64_t mono_us)
{
	return to_wall(ps, mono_us);
}

/* A wall clock that was set back must not put the past into the future. */
static uint64_t past(const struct ctl_pairs *ps, uint64_t wall_us)
{
	uint64_t t = to_mono(ps, wall_us), now_us = ps->io.now_us(ps->io.arg);

	return t < now_us ? t : now_us;
}

static int slot_of(const struct ctl_pairs_pair *rp, const char *name)
{
	for (int s = 0; name != NULL && s < DP_PAIR_MEMBERS; s++) {
		if (rp->m[s].name != NULL && strcmp(rp->m[s].name, name) == 0)
			return s;
	}
	return -1;
}

static void from_file(const struct ctl_pairs_pair *rp, const struct ctl_state_pair *f,
		      struct ctl_pair_saved *saved)
{
	const struct ctl_pairs *ps = rp->ps;
	uint64_t latest_us = ps->io.now_us(ps->io.arg) + rp->conf.interval_us;
	int active = slot_of(rp, f->active);

	saved->phase = CTL_PAIR_UNKNOWN;
	saved->active = active >= 0 ? (uint8_t)active : CTL_PAIR_NONE;
	saved->flaps = f->flaps < CTL_PAIR_FLAPS_MAX ? (uint8_t)f->flaps : CTL_PAIR_FLAPS_MAX;
	saved->pinned = f->pinned;
	saved->manual = f->manual;
	saved->returned_us = past(ps, f->returned_us);
	saved->since_us = past(ps, f->since_us);
	saved->failback_us = to_mono(ps, f->failback_us);
	if (saved->failback_us > latest_us)
		saved->failback_us = latest_us;
	for (size_t i = 0; i < f->n_members; i++) {
		int s = slot_of(rp, f->members[i].name);

		if (s < 0)
			continue;
		saved->m[s].draining = f->members[i].draining;
		saved->m[s].disabled = f->members[i].disabled;
		saved->m[s].left_us = past(ps, f->members[i].left_us);
	}
}

/* What is in force beats what was written down; only the file tells disabled from down. While
 * nobody is known alive, an active member that is down bears the suspect bit. */
static void from_word(const struct ctl_pairs_pair *rp, uint64_t word, bool has_file,
		      struct ctl_pair_saved *saved)
{
	unsigned int active = dp_word_active(word);

	if (!rp->st.m[active].present)
		return;
	if (saved->active != active) {
		saved->since_us = 0;
		saved->pinned = saved->manual = false;
	}
	saved->active = (uint8_t)active;
	if ((word & DP_WORD_OUT_OF_SERVICE) != 0)
		saved->phase = CTL_PAIR_OUT_OF_SERVICE;
	else if ((word & DP_WORD_UNKNOWN) != 0)
		saved->phase = CTL_PAIR_UNKNOWN;
	else
		saved->phase = CTL_PAIR_PRIMARY; /* that is, known: the role says which */
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		saved->m[s].down = dp_word_down(word, s)
				   || (saved->phase != CTL_PAIR_PRIMARY && s == active
				       && dp_word_suspect(word, s));
		if (!has_file)
			saved->m[s].draining = dp_word_draining(word, s);
	}
}

void ctl_pairs_adopt(struct ctl_pairs_pair *rp, uint32_t slots, uint64_t word)
{
	struct ctl_pairs *ps = rp->ps;
	const struct ctl_state_pair *f = ctl_state_find(ps->state, rp->name);
	const struct ctl_pair_event ev = { .type = CTL_EV_CHANGE, .slots = slots };
	struct ctl_pair_saved saved = { .active = CTL_PAIR_NONE };
	uint64_t now_us = ps->io.now_us(ps->io.arg);

	ctl_pair_step(&rp->st, &rp->conf, &ev, now_us, &ps->out);
	if (f != NULL)
		from_file(rp, f, &saved);
	if ((word & DP_WORD_VALID) != 0)
		from_word(rp, word, f != NULL, &saved);
	if (f != NULL || (word & DP_WORD_VALID) != 0)
		ctl_pair_restore(&rp->st, &rp->conf, &saved, now_us, &ps->out);
	rp->word = word & ~(255ull << DP_WORD_CHANGES_SHIFT);
	ctl_pairs_carry_out(rp);
	ctl_pairs_follow_cut(rp);
}

/* ---- Writing it down */

char *ctl_pairs_state_text(const struct ctl_pairs *ps)
{
	struct ctl_state_text *t = ctl_state_text_new();

	for (size_t i = 0; i < ps->n_order; i++) {
		const struct ctl_pairs_pair *rp = ps->order[i];
		struct ctl_state_member members[DP_PAIR_MEMBERS];
		const bool has_active = rp->st.active < DP_PAIR_MEMBERS;
		struct ctl_state_pair p = {
			.name = rp->name,
			.active = has_active ? rp->m[rp->st.active].name : NULL,
			.pinned = rp->st.pinned,
			.manual = rp->st.manual,
			.flaps = rp->st.flaps,
			.returned_us = to_wall(ps, rp->st.returned_us),
			.since_us = to_wall(ps, rp->st.since_us),
			.failback_us = to_wall(ps, rp->st.failback_us),
			.members = members,
		};

		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
			const struct ctl_pair_member *m = &rp->st.m[s];

			if (!m->present || rp->m[s].name == NULL)
				continue;
			members[p.n_members++] = (struct ctl_state_member){
				.name = rp->m[s].name,
				.draining = m->draining,
				.disabled = m->disabled,
				.left_us = to_wall(ps, m->left_us),
			};
		}
		ctl_state_text_pair(t, &p);
	}
	return ctl_state_text_end(t);
}
