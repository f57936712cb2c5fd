/*
 * Trials of signal failback: control offers one at a time for a pair; the worker that claims it
 * sends one live request to the pair's best member, and says how it went. A request that is not
 * answered goes back to the active member, at its next send or as soon as it is overdue.
 */
#include "dataplane/steer/steer_flight.h"

/* One of all workers gets it (see dp_region.h). @return whether this one did. */
static bool claim(struct steer *s, uint16_t pair, uint32_t *trial)
{
	_Atomic uint32_t *at = &s->p.pair_trials[pair];
	uint32_t v = atomic_load_explicit(at, memory_order_acquire);

	if (v & 1
	    || !atomic_compare_exchange_strong_explicit(at, &v, v + 1, memory_order_acq_rel,
							memory_order_relaxed))
		return false;
	*trial = v / 2;
	return true;
}

const struct dp_member *steer_trial(struct steer_ctx *c, const struct dp_pair *pair, uint64_t word)
{
	const struct dp_member *best = &pair->members[pair->order[0]];
	struct steer *s = c->s;

	if (!s->peers || !s->p.pair_trials || c->way || c->in_dialog || c->t.record || c->t.taken
	    || !(pair->signal_methods >> c->m->method & 1) || !best->valid
	    || best->slot == dp_word_active(word) || dp_word_draining(word, best->slot)
	    || best->at.port == 0 || !(best->methods >> c->m->method & 1)
	    || steer_is_emergency(c->cfg, c->service, c->m)
	    || !claim(s, dp_cfg_pair_number(c->cfg, pair), &c->trial))
		return NULL;
	c->is_trial = true;
	c->v->why = "a trial of the best member";
	return best;
}

void steer_trial_sent(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct steer_record *rec = c->t.record;
	struct steer *s = c->s;

	if (!rec) { /* no record, no judgement */
		steer_event(s, DP_EVENT_TRIAL, hop->number, c->m->method, c->trial);
		return;
	}
	rec->flags |= STEER_RECORD_TRIAL;
	rec->trial = c->trial;
	s->p.counters->trials++;
	if (s->p.members)
		s->p.members[hop->number].trials++;
}

void steer_trial_end(struct steer *s, struct steer_record *rec, uint16_t status)
{
	rec->flags &= (uint16_t)~STEER_RECORD_TRIAL;
	steer_event(s, DP_EVENT_TRIAL, rec->member, (uint32_t)status << 8 | rec->method,
		    rec->trial);
}
