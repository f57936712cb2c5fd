/*
 * Trials of signal failback: control offers one at a time for a pair; the worker that takes it
 * sends one live request to the member that the offer names, and says how it went. A request that
 * is not answered goes back to the active member, at its next send or as soon as it is overdue.
 */
#include "dataplane/steer/steer_flight.h"

/* One of all workers gets it (see dp_region.h). @return whether this one did. */
static bool take(struct steer *s, uint16_t pair, uint32_t offer)
{
	return atomic_compare_exchange_strong_explicit(&s->p.pair_trials[pair], &offer,
						       offer | DP_TRIAL_TAKEN, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* A member that this request may be tried on. */
static bool may_try(const struct steer_ctx *c, const struct dp_member *m, uint64_t word)
{
	return m->valid && m->slot != dp_word_active(word) && !dp_word_draining(word, m->slot)
	       && m->at.port != 0 && (m->methods >> c->m->method & 1)
	       && !steer_is_emergency(c->cfg, c->service, c->m);
}

const struct dp_member *steer_trial(struct steer_ctx *c, const struct dp_pair *pair, uint64_t word)
{
	uint16_t number = dp_cfg_pair_number(c->cfg, pair);
	const struct dp_member *m;
	struct steer *s = c->s;
	uint32_t offer;

	if (!s->peers || !s->p.pair_trials || c->way || c->in_dialog || c->t.record || c->t.taken
	    || !(pair->signal_methods >> c->m->method & 1))
		return NULL;
	/* Acquire: the slot is one of the snapshot that was published before. Partner: control's
	 * release store of the offer. */
	offer = atomic_load_explicit(&s->p.pair_trials[number], memory_order_acquire);
	m = dp_pair_member(pair, dp_trial_slot(offer));
	if ((offer & DP_TRIAL_TAKEN) || !may_try(c, m, word) || !take(s, number, offer))
		return NULL;
	c->trial = dp_trial_number(offer);
	c->is_trial = true;
	c->v->why = "a trial of a better member";
	return m;
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
		++*DP_MEMBER_COUNTER(s->p.members, hop->number, trials);
}

void steer_trial_end(struct steer *s, struct steer_record *rec, uint16_t status)
{
	rec->flags &= (uint16_t)~STEER_RECORD_TRIAL;
	steer_event(s, DP_EVENT_TRIAL, rec->member, (uint32_t)status << 8 | rec->method,
		    rec->trial);
}
