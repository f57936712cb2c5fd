/*
 * The pair machine across restarts: what is kept, and how it is taken up again.
 */
#include <string.h>

#include "control/pair/ctl_pair_int.h"

void ctl_pair_save(const struct ctl_pair_state *p, struct ctl_pair_saved *saved)
{
	memset(saved, 0, sizeof(*saved));
	saved->phase = p->phase;
	saved->active = p->active;
	saved->flaps = p->flaps;
	saved->pinned = p->pinned;
	saved->manual = p->manual;
	saved->returned_us = p->returned_us;
	saved->since_us = p->since_us;
	saved->failback_us = p->failback_us;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		saved->m[s].draining = p->m[s].draining;
		saved->m[s].disabled = p->m[s].disabled;
		saved->m[s].left_us = p->m[s].left_us;
	}
}

static void restore_members(struct pp *c, const struct ctl_pair_saved *saved)
{
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		struct ctl_pair_member *m = pp_m(c, s);

		if (!m->present)
			continue;
		m->draining = saved->m[s].draining;
		m->disabled = saved->m[s].disabled;
		m->left_us = saved->m[s].left_us;
		if (saved->m[s].down && !m->disabled) {
			m->health = CTL_HEALTH_DOWN;
			m->fails = c->conf->fall;
		}
	}
}

/* Whoever was active stays; who was believed alive is asked at once, but believed until then. */
static void restore_active(struct pp *c, const struct ctl_pair_saved *saved)
{
	struct ctl_pair_state *p = c->p;
	unsigned int active = saved->active;
	bool stays = active < DP_PAIR_MEMBERS && p->m[active].present && !p->m[active].disabled;

	if (stays)
		p->active = (uint8_t)active;
	else if (pp_guess(c) != CTL_PAIR_NONE)
		p->active = (uint8_t)pp_guess(c);
	p->pinned = saved->pinned && stays;
	p->manual = saved->manual && stays;
	p->phase = stays ? saved->phase : CTL_PAIR_UNKNOWN;
	if (pp_guess(c) == CTL_PAIR_NONE)
		p->phase = CTL_PAIR_OUT_OF_SERVICE;
	if (!pp_is_lost(p)) {
		p->phase = (uint8_t)pp_role_phase(c, p->active);
		p->m[p->active].health = CTL_HEALTH_UP;
		p->m[p->active].fails = 0;
		pp_turns_stop(c);
	} else {
		pp_turns_start(c, p->active, c->now + c->conf->m[p->active].phase_us);
	}
}

void ctl_pair_restore(struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		      const struct ctl_pair_saved *saved, uint64_t now_us,
		      struct ctl_pair_actions *out)
{
	struct pp c;

	pp_begin(&c, p, conf, NULL, now_us, out);
	if (p->active == CTL_PAIR_NONE)
		return;
	restore_members(&c, saved);
	p->flaps = saved->flaps <= CTL_PAIR_FLAPS_MAX ? saved->flaps : CTL_PAIR_FLAPS_MAX;
	p->returned_us = saved->returned_us;
	p->since_us = saved->since_us != 0 ? saved->since_us : now_us;
	p->failback_us = saved->failback_us;
	restore_active(&c, saved);
	pp_settle(&c);
}
