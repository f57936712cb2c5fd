/*
 * The rules about one transition: its cause must be true, and allow it.
 */
#include "tests/sim/sim.h"

#include <string.h>

/* ---- Words and health */

/* The pair's word by dataplane/dp_region.h, said once more. */
static uint64_t word_of(const struct ctl_pairs_pair *rp)
{
	const struct ctl_pair_state *p = &rp->st;
	uint64_t w = 0;

	if (p->active == CTL_PAIR_NONE)
		return 0;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		const struct ctl_pair_member *m = &p->m[s];
		bool out = m->health == CTL_HEALTH_DOWN || (rp->conf.gray_failover && m->degraded);

		if (!m->present)
			continue;
		w |= (uint64_t)(m->disabled || (out && s != p->active)) << (8 + s);
		w |= (uint64_t)(m->health == CTL_HEALTH_SUSPECT || (out && s == p->active))
		     << (24 + s);
		w |= (uint64_t)m->draining << (40 + s);
	}
	return w | p->active | 1u << 4 | (uint64_t)(p->phase == CTL_PAIR_OUT_OF_SERVICE) << 5
	       | (uint64_t)(p->phase == CTL_PAIR_UNKNOWN) << 6 | (uint64_t)rp->trial.open << 7;
}

/* Neither forged nor freak signals take a healthy member down. */
static void check_health(struct sim_instance *in, unsigned int pair,
			 const struct ctl_pairs_pair *rp)
{
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		struct sim_seen *seen = &in->book[pair].seen[s];
		uint8_t was = seen->health, is = rp->st.m[s].present ? rp->st.m[s].health : 0;

		if (was == is)
			continue;
		if (is == CTL_HEALTH_DOWN && !sim_seen_dead(in, pair, s))
			sim_fail(in->w, in, pair,
				 "slot %u was taken for dead after %u of %u failed probes, a burst "
				 "of %u, %u ICMP errors",
				 s, seen->bad, rp->conf.fall, seen->n_burst, seen->icmp);
		if (is == CTL_HEALTH_DOWN) {
			seen->last_good = false;
			seen->good = 0;
		}
		if (is == CTL_HEALTH_NEW)
			sim_seen_reset(seen);
		if (is == CTL_HEALTH_SUSPECT)
			seen->suspect_us = in->w->now_us;
		seen->health = is;
	}
}

/* ---- Causes */

struct move {
	struct sim_instance *in;
	unsigned int pair;
	struct sim_book *b;
	struct ctl_pairs_pair *rp;
	unsigned int from, to;
	bool was_lost, lost, by_cut;
};

static void wrong(const struct move *m, const char *what)
{
	sim_fail(m->in->w, m->in, m->pair, "%s: from slot %u%s to slot %u%s by %s (%u flaps)", what,
		 m->from, m->was_lost ? " (lost)" : "", m->to, m->lost ? " (lost)" : "",
		 m->b->cause, m->b->flaps);
}

static unsigned int rank(const struct move *m, unsigned int slot)
{
	return m->rp->conf.m[slot].rank;
}

static bool eligible(const struct ctl_pair_state *p, unsigned int slot)
{
	return p->m[slot].present && !p->m[slot].disabled && (!p->pinned || slot == p->active);
}

/* probe-all: "when the active one is down and another's last probe was good, the switch is
 * immediate, without UNKNOWN". */
static void check_no_twin(const struct move *m)
{
	const struct ctl_pair_state *p = &m->rp->st;
	const struct ctl_pair_conf *conf = &m->rp->conf;

	if (p->pinned || p->cut || !conf->probe_all || conf->check_us == 0)
		return;
	for (unsigned int i = 0; i < conf->n; i++) {
		unsigned int s = conf->order[i];

		/* What was known of one that other settings did not watch is forgotten. */
		if (s != m->from && eligible(p, s) && m->b->seen[s].last_good
		    && m->b->seen[s].good_us > m->b->conf_us && p->m[s].health != CTL_HEALTH_SUSPECT
		    && !(conf->gray_failover && p->m[s].degraded))
			wrong(m, "it searched although a twin's last probe was good");
	}
}

static void by_loss(const struct move *m)
{
	if (m->was_lost || m->b->from_health != CTL_HEALTH_DOWN)
		wrong(m, "it left a member that is not down");
	if (m->lost && m->from != m->to)
		wrong(m, "traffic did not stay with the last active member");
	if (m->lost)
		check_no_twin(m);
	else if (!m->b->to_good)
		wrong(m, "it went to a member whose last probe was not good");
}

static void by_first_answer(const struct move *m)
{
	if (!m->was_lost || m->lost)
		wrong(m, "a first answer while somebody was known alive");
	if (!m->b->to_good)
		wrong(m, "a first answer without an answer");
}

static void by_all_missed(const struct move *m)
{
	const struct ctl_pair_state *p = &m->rp->st;

	if (!m->was_lost || p->phase != CTL_PAIR_OUT_OF_SERVICE)
		wrong(m, "all missed, but not out of service");
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (eligible(p, s) && !sim_seen_missed(m->in, m->pair, s))
			wrong(m, "out of service, but a member missed no probe");
	}
}

static void by_failback(const struct move *m, unsigned int mode, bool proved)
{
	const struct sim_book *b = m->b;

	if ((m->rp->conf.failback & mode) == 0)
		wrong(m, "this failback mode is not set");
	if (m->was_lost || m->lost || rank(m, m->to) >= rank(m, m->from))
		wrong(m, "failback to no better member");
	if (m->rp->st.pinned || b->manual || m->rp->st.cut)
		wrong(m, m->rp->st.pinned ? "failback while pinned"
			 : m->rp->st.cut  ? "failback while cut off"
					  : "failback against the operator");
	if (m->rp->conf.gray_failover && m->rp->st.m[m->to].degraded)
		wrong(m, "failback to a gray member");
	if (sim_mono(m->in) < sim_hold_end(m->in, m->pair, m->to))
		wrong(m, "failback within the hold");
	if (!proved)
		wrong(m, "failback without proof of life");
}

static void by_immediate(const struct move *m)
{
	by_failback(m, CTL_FAILBACK_IMMEDIATE, m->b->seen[m->to].good >= m->rp->conf.rise);
}

static void by_timed(const struct move *m)
{
	by_failback(m, CTL_FAILBACK_TIMED, m->b->seen[m->to].failback_ok_us == sim_mono(m->in));
}

static void by_signal(const struct move *m)
{
	by_failback(m, CTL_FAILBACK_SIGNAL, m->b->seen[m->to].signal_ok_us == sim_mono(m->in));
}

static void by_gray(const struct move *m)
{
	if (!m->rp->conf.gray_failover || m->was_lost || m->lost)
		wrong(m, "gray failover that is not set, or out of place");
	if (!m->b->from_degraded || !m->b->to_good)
		wrong(m, "gray failover from a good member, or to a bad one");
}

static void by_order(const struct move *m)
{
	bool ordered = (m->in->ordered >> m->pair & 1) != 0;

	if (!ordered && !(m->b->from_draining && m->b->to_good))
		wrong(m, "an order that nobody gave");
}

static void by_cut(const struct move *m)
{
	if (!m->b->link_lost)
		wrong(m, "our own link is not lost");
}

static const struct {
	const char *cause;
	void (*judge)(const struct move *m);
} causes[] = {
	{ "probe-timeout", by_loss },
	{ "unavailable-code", by_loss },
	{ "icmp", by_loss },
	{ "unanswered", by_loss },
	{ "live-code", by_loss },
	{ "connection", by_loss },
	{ "send-error", by_loss },
	{ "probe-burst", by_loss },
	{ "first-answer", by_first_answer },
	{ "all-missed", by_all_missed },
	{ "failback-immediate", by_immediate },
	{ "failback-timed", by_timed },
	{ "failback-signal", by_signal },
	{ "gray-failure", by_gray },
	{ "operator", by_order },
	{ "reload", by_order },
	{ "own-link-lost", by_cut },
};
#define N_CAUSES (sizeof(causes) / sizeof(causes[0]))

const char *sim_cause(unsigned int i)
{
	return i < N_CAUSES ? causes[i].cause : NULL;
}

static void judge(const struct move *m)
{
	for (unsigned int i = 0; i < N_CAUSES; i++) {
		if (strcmp(causes[i].cause, m->b->cause) != 0)
			continue;
		m->in->w->stats.by_cause[i]++;
		causes[i].judge(m);
		return;
	}
	wrong(m, m->b->n_notes == 0 ? "a transition without a record" : "an unknown cause");
}

/* ---- The book: hold and flaps (REQUIREMENTS 3, Failback) */

uint64_t sim_hold_end(const struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	const struct sim_book *b = &in->book[pair];

	if (b->left_us[slot] == 0)
		return 0;
	return b->left_us[slot] + (sim_pair(in, pair)->conf.hold_us << b->flaps);
}

static bool is_machine(const char *cause)
{
	return strcmp(cause, "operator") != 0 && strcmp(cause, "reload") != 0;
}

static bool is_top(const struct move *m, unsigned int slot)
{
	for (unsigned int i = 0; i < m->rp->conf.n; i++) {
		unsigned int s = m->rp->conf.order[i];

		if (m->rp->st.m[s].present && rank(m, s) < rank(m, slot))
			return false;
	}
	return true;
}

static void keep_book(const struct move *m)
{
	struct sim_book *b = m->b;
	uint64_t now = sim_mono(m->in);

	b->active_us = now;
	if (m->by_cut) {
		b->flaps = m->rp->st.flaps;
		b->returned_us = m->rp->st.returned_us;
		b->left_us[m->to] = m->rp->st.m[m->to].left_us;
		return;
	}
	if (m->lost) { /* an order's guess: neither a return nor a flap */
		b->left_us[m->from] = m->rp->st.m[m->from].left_us;
		return;
	}
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (rank(m, s) < rank(m, m->to))
			b->seen[s].good = 0;
	}
	if (rank(m, m->to) < rank(m, m->from)) {
		b->returned_us = now;
		return;
	}
	b->left_us[m->from] = now;
	if (!is_machine(b->cause))
		return;
	if (b->returned_us != 0 && now - b->returned_us < CTL_PAIR_FLAP_US)
		b->flaps += b->flaps < CTL_PAIR_FLAPS_MAX;
	else if (is_top(m, m->from))
		b->flaps = 0;
}

/* ---- The course of a step: word, notes, end */

void sim_judge_end(struct sim_instance *in, unsigned int pair)
{
	struct sim_book *b = &in->book[pair];
	struct move m = { .in = in,
			  .pair = pair,
			  .b = b,
			  .rp = sim_pair(in, pair),
			  .from = dp_word_active(b->from_word),
			  .to = dp_word_active(b->word),
			  .was_lost = sim_lost(b->from_word),
			  .lost = sim_lost(b->word),
			  .by_cut = strcmp(b->cause, "own-link-lost") == 0 };

	if (!b->moving)
		return;
	b->moving = false;
	if (m.rp == NULL || b->from_word == 0 || b->word == 0)
		return;
	if (m.from == m.to && (b->from_word & 0x60) == (b->word & 0x60))
		return;
	in->w->stats.transitions++;
	judge(&m);
	if (m.lost && !m.was_lost) {
		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
			b->seen[s].missed = 0;
	}
	if (m.from == m.to)
		return;
	in->w->stats.switches++;
	keep_book(&m);
}

/* More steps may follow before the judgement. */
static void keep_facts(const struct sim_instance *in, struct sim_book *b,
		       const struct ctl_pairs_pair *rp, uint64_t word)
{
	const struct ctl_pair_member *from = &rp->st.m[dp_word_active(b->from_word)];

	b->from_health = from->health;
	b->from_degraded = from->degraded;
	b->from_draining = from->draining;
	b->to_good = b->seen[dp_word_active(word)].last_good;
	b->link_lost = in->ps->cut.on;
}

void sim_judge_word(struct sim_instance *in, unsigned int pair, uint64_t word)
{
	struct sim_book *b = &in->book[pair];
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);

	sim_judge_end(in, pair);
	sim_digest(in->w, &word, sizeof(word));
	sim_trace(in->w, "instance %u, pair p%u: word %016llx", in->id, pair,
		  (unsigned long long)word);
	if (word != word_of(rp))
		sim_fail(in->w, in, pair, "the word is %016llx, the state says %016llx",
			 (unsigned long long)word, (unsigned long long)word_of(rp));
	if (!in->quiet) {
		check_health(in, pair, rp);
		b->moving = true;
		b->from_word = b->word;
		keep_facts(in, b, rp, word);
		b->n_notes = 0;
		b->cause[0] = '\0';
	}
	b->word = word;
}

static const char *text(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s != NULL ? s : "";
}

/* Every transition has its cause and evidence, and begins where the last one ended. */
void sim_judge_note(void *instance, const json_t *event)
{
	struct sim_instance *in = instance;
	unsigned int pair = sim_pair_index(text(event, "pair"));
	const char *cause = text(event, "cause"), *why = text(event, "evidence");
	const char *from = text(event, "from"), *to = text(event, "to");
	struct sim_book *b = &in->book[pair < SIM_PAIRS ? pair : 0];

	sim_digest(in->w, why, strlen(why));
	sim_trace(in->w, "instance %u, pair %s, member %s: %s to %s (%s): %s", in->id,
		  text(event, "pair"), text(event, "member"), from, to, cause, why);
	if (*cause == '\0' || *why == '\0' || *from == '\0' || *to == '\0')
		sim_fail(in->w, in, pair, "an event from \"%s\" to \"%s\" by \"%s\": \"%s\"", from,
			 to, cause, why);
	if (pair >= SIM_PAIRS || in->quiet)
		return;
	if (*text(event, "member") != '\0') {
		unsigned int s = sim_slot_of(in, pair, text(event, "member"));

		if (strcmp(to, "degraded") == 0 && strcmp(cause, "gray-failure") == 0
		    && s < DP_PAIR_MEMBERS && b->seen[s].live_bad_us + 120 * SEC < sim_mono(in))
			sim_fail(in->w, in, pair, "slot %u is degraded, but its traffic is well",
				 s);
		return;
	}
	if (strcmp(b->phase, from) != 0)
		sim_fail(in->w, in, pair, "an event begins at %s, the last one ended at %s", from,
			 b->phase);
	snprintf(b->phase, sizeof(b->phase), "%s", to);
	/* A failed probe of failback moves nothing; what does may come in the same step. */
	if (strcmp(cause, "failback-failed") != 0 && b->n_notes++ == 0)
		snprintf(b->cause, sizeof(b->cause), "%s", cause);
}

void sim_judge_health(struct sim_instance *in, unsigned int pair)
{
	check_health(in, pair, sim_pair(in, pair));
}
