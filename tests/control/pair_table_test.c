/*
 * The pair machine's table: every state and event has a rule with a source, and does what the
 * source says. Three members a (primary), b (backup), c (fallback), probe-all on, sticky.
 */
#include <criterion/criterion.h>

#include "tests/control/pair_bench.h"

#define SLOTS(s) (1u << (s))

/* Which members live before and while the pair is brought into a phase. */
static void into(struct bench *b, enum ctl_pair_phase phase)
{
	static const bool alive[CTL_PAIR_PHASE_N][3] = {
		[CTL_PAIR_UNKNOWN] = { false, false, false },
		[CTL_PAIR_PRIMARY] = { true, true, true },
		[CTL_PAIR_BACKUP] = { false, true, true },
		[CTL_PAIR_FALLBACK] = { false, false, true },
		[CTL_PAIR_OUT_OF_SERVICE] = { false, false, false },
	};

	bench_init(b, 3);
	for (unsigned int s = 0; s < 3; s++)
		b->mood[s] = alive[phase][s] ? BENCH_ALIVE : BENCH_DEAD;
	bench_start(b);
	bench_event(b, CTL_EV_TICK); /* the first probe goes out */
	if (phase == CTL_PAIR_UNKNOWN)
		return;
	cr_assert_neq(bench_until(b, phase, 60 * SEC), UINT64_MAX);
	bench_run(b, 11 * SEC); /* the others are known by then */
	cr_assert_eq(b->p.phase, phase);
}

struct row {
	enum ctl_pair_phase phase;
	enum ctl_pair_event_type type;
	uint8_t slot;
	uint16_t code; /* with CTL_EV_CHANGE, CTL_EV_GONE: slots */
	enum ctl_pair_phase then;
	uint8_t active;
	enum ctl_health health; /* of slot afterwards */
};

#define UNK  CTL_PAIR_UNKNOWN
#define PRI  CTL_PAIR_PRIMARY
#define BAK  CTL_PAIR_BACKUP
#define FAL  CTL_PAIR_FALLBACK
#define OOS  CTL_PAIR_OUT_OF_SERVICE
#define NEW  CTL_HEALTH_NEW
#define UP   CTL_HEALTH_UP
#define SUS  CTL_HEALTH_SUSPECT
#define DOWN CTL_HEALTH_DOWN

/* ANSWER and ERROR are for the outstanding probe of `slot`; others' slot is whom they are about. */
static const struct row rows[] = {
	/* UNKNOWN: just started, a has been asked, nobody has answered */
	{ UNK, CTL_EV_TICK, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_ANSWER, 0, 200, PRI, 0, UP },
	{ UNK, CTL_EV_ANSWER, 0, 404, PRI, 0, UP },
	{ UNK, CTL_EV_ANSWER, 0, 503, UNK, 0, DOWN },
	{ UNK, CTL_EV_ANSWER, 0, 408, UNK, 0, DOWN },
	{ UNK, CTL_EV_ERROR, 0, CTL_ERROR_ICMP, UNK, 0, DOWN },
	{ UNK, CTL_EV_UNANSWERED, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_LIVE_CODE, 0, 503, UNK, 0, NEW },
	{ UNK, CTL_EV_ICMP, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_STREAM, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_ALIVE, 0, 200, PRI, 0, UP },
	{ UNK, CTL_EV_ALIVE, 1, 200, BAK, 1, UP },
	{ UNK, CTL_EV_ALIVE, 1, 503, UNK, 0, NEW },
	{ UNK, CTL_EV_SIGNAL, 2, 200, FAL, 2, UP },
	{ UNK, CTL_EV_LIVE, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_CUT, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_MENDED, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_SWITCH, 1, 0, UNK, 1, NEW },
	{ UNK, CTL_EV_PIN, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_UNPIN, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_DRAIN, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_DISABLE, 0, 0, UNK, 1, NEW },
	{ UNK, CTL_EV_DISABLE, 1, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_ENABLE, 0, 0, UNK, 0, NEW },
	{ UNK, CTL_EV_GONE, 0, SLOTS(0), UNK, 1, NEW },
	{ UNK, CTL_EV_CHANGE, 0, SLOTS(1), UNK, 0, NEW },
	/* PRIMARY: all three are known alive */
	{ PRI, CTL_EV_TICK, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_ANSWER, 0, 200, PRI, 0, UP },
	{ PRI, CTL_EV_ANSWER, 0, 503, BAK, 1, DOWN },
	{ PRI, CTL_EV_ANSWER, 1, 503, PRI, 0, DOWN },
	{ PRI, CTL_EV_ERROR, 0, CTL_ERROR_ICMP, PRI, 0, SUS },
	{ PRI, CTL_EV_ERROR, 0, CTL_ERROR_SEND, PRI, 0, SUS },
	{ PRI, CTL_EV_UNANSWERED, 0, 0, PRI, 0, SUS },
	{ PRI, CTL_EV_LIVE_CODE, 0, 503, PRI, 0, SUS },
	{ PRI, CTL_EV_LIVE_CODE, 0, 486, PRI, 0, UP },
	{ PRI, CTL_EV_LIVE_CODE, 0, 500, PRI, 0, UP }, /* to INVITE: the caller's matter */
	{ PRI, CTL_EV_ICMP, 0, 0, PRI, 0, SUS },
	{ PRI, CTL_EV_STREAM, 0, 0, PRI, 0, SUS },
	{ PRI, CTL_EV_ALIVE, 0, 200, PRI, 0, UP },
	{ PRI, CTL_EV_ALIVE, 1, 200, PRI, 0, UP },
	{ PRI, CTL_EV_SIGNAL, 1, 200, PRI, 0, UP },
	{ PRI, CTL_EV_LIVE, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_CUT, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_MENDED, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_SWITCH, 1, 0, BAK, 1, UP },
	{ PRI, CTL_EV_SWITCH, 2, 0, FAL, 2, UP },
	{ PRI, CTL_EV_SWITCH, CTL_PAIR_NONE, 0, BAK, 1, UP },
	{ PRI, CTL_EV_PIN, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_UNPIN, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_DRAIN, 0, 0, BAK, 1, UP },
	{ PRI, CTL_EV_DRAIN, 1, 0, PRI, 0, UP },
	{ PRI, CTL_EV_DISABLE, 0, 0, BAK, 1, NEW },
	{ PRI, CTL_EV_DISABLE, 1, 0, PRI, 0, NEW },
	{ PRI, CTL_EV_ENABLE, 0, 0, PRI, 0, UP },
	{ PRI, CTL_EV_GONE, 0, SLOTS(0), BAK, 1, NEW },
	{ PRI, CTL_EV_CHANGE, 1, SLOTS(1), PRI, 0, NEW },
	/* BACKUP: a is dead, b and c live */
	{ BAK, CTL_EV_TICK, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_ANSWER, 1, 200, BAK, 1, UP },
	{ BAK, CTL_EV_ANSWER, 0, 200, BAK, 1, UP }, /* sticky */
	{ BAK, CTL_EV_ANSWER, 1, 503, FAL, 2, DOWN },
	{ BAK, CTL_EV_ERROR, 1, CTL_ERROR_ICMP, BAK, 1, SUS },
	{ BAK, CTL_EV_ERROR, 0, CTL_ERROR_ICMP, BAK, 1, DOWN },
	{ BAK, CTL_EV_UNANSWERED, 1, 0, BAK, 1, SUS },
	{ BAK, CTL_EV_UNANSWERED, 0, 0, BAK, 1, DOWN },
	{ BAK, CTL_EV_LIVE_CODE, 1, 503, BAK, 1, SUS },
	{ BAK, CTL_EV_ICMP, 1, 0, BAK, 1, SUS },
	{ BAK, CTL_EV_ICMP, 0, 0, BAK, 1, DOWN },
	{ BAK, CTL_EV_STREAM, 1, 0, BAK, 1, SUS },
	{ BAK, CTL_EV_ALIVE, 0, 200, BAK, 1, DOWN },
	{ BAK, CTL_EV_SIGNAL, 0, 200, BAK, 1, DOWN }, /* sticky */
	{ BAK, CTL_EV_LIVE, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_CUT, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_MENDED, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_SWITCH, 2, 0, FAL, 2, UP },
	{ BAK, CTL_EV_PIN, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_UNPIN, 1, 0, BAK, 1, UP },
	{ BAK, CTL_EV_DRAIN, 1, 0, FAL, 2, UP },
	{ BAK, CTL_EV_DISABLE, 1, 0, FAL, 2, NEW },
	{ BAK, CTL_EV_ENABLE, 0, 0, BAK, 1, DOWN },
	{ BAK, CTL_EV_GONE, 1, SLOTS(1), FAL, 2, NEW },
	{ BAK, CTL_EV_GONE, 0, SLOTS(0), BAK, 1, NEW },
	{ BAK, CTL_EV_CHANGE, 0, SLOTS(0), BAK, 1, NEW },
	/* FALLBACK: a and b are dead */
	{ FAL, CTL_EV_TICK, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_ANSWER, 2, 200, FAL, 2, UP },
	{ FAL, CTL_EV_ANSWER, 0, 200, FAL, 2, UP },
	{ FAL, CTL_EV_ANSWER, 2, 503, UNK, 2, DOWN },
	{ FAL, CTL_EV_ERROR, 2, CTL_ERROR_TLS, FAL, 2, SUS },
	{ FAL, CTL_EV_UNANSWERED, 2, 0, FAL, 2, SUS },
	{ FAL, CTL_EV_LIVE_CODE, 2, 503, FAL, 2, SUS },
	{ FAL, CTL_EV_ICMP, 2, 0, FAL, 2, SUS },
	{ FAL, CTL_EV_STREAM, 2, 0, FAL, 2, SUS },
	{ FAL, CTL_EV_ALIVE, 0, 200, FAL, 2, DOWN },
	{ FAL, CTL_EV_SIGNAL, 0, 200, FAL, 2, DOWN },
	{ FAL, CTL_EV_LIVE, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_CUT, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_MENDED, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_SWITCH, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_PIN, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_UNPIN, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_DRAIN, 2, 0, FAL, 2, UP }, /* nobody else is alive */
	{ FAL, CTL_EV_DISABLE, 2, 0, UNK, 0, NEW },
	{ FAL, CTL_EV_ENABLE, 2, 0, FAL, 2, UP },
	{ FAL, CTL_EV_GONE, 2, SLOTS(2), UNK, 0, NEW },
	{ FAL, CTL_EV_CHANGE, 1, SLOTS(1), FAL, 2, NEW },
	/* OUT-OF-SERVICE: all are dead; a was active last */
	{ OOS, CTL_EV_TICK, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_ANSWER, 1, 200, BAK, 1, UP },
	{ OOS, CTL_EV_ANSWER, 1, 503, OOS, 0, DOWN },
	{ OOS, CTL_EV_ERROR, 1, CTL_ERROR_ICMP, OOS, 0, DOWN },
	{ OOS, CTL_EV_UNANSWERED, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_LIVE_CODE, 0, 503, OOS, 0, DOWN },
	{ OOS, CTL_EV_ICMP, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_STREAM, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_ALIVE, 0, 200, PRI, 0, UP },
	{ OOS, CTL_EV_ALIVE, 0, 408, OOS, 0, DOWN },
	{ OOS, CTL_EV_SIGNAL, 0, 200, PRI, 0, UP },
	{ OOS, CTL_EV_LIVE, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_CUT, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_MENDED, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_SWITCH, 1, 0, OOS, 1, DOWN },
	{ OOS, CTL_EV_PIN, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_UNPIN, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_DRAIN, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_DISABLE, 0, 0, UNK, 1, NEW },
	{ OOS, CTL_EV_ENABLE, 0, 0, OOS, 0, DOWN },
	{ OOS, CTL_EV_GONE, 0, SLOTS(0), UNK, 1, NEW },
	{ OOS, CTL_EV_CHANGE, 1, SLOTS(1), UNK, 0, NEW },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* The probe that slot has outstanding; one is brought about if there is none. */
static uint32_t outstanding(struct bench *b, unsigned int slot)
{
	for (unsigned int i = 0; i < 64 && b->p.m[slot].periodic.id == 0; i++) {
		b->now_us = b->p.wake_us;
		for (unsigned int j = 0; j < b->n_pending; j++)
			b->pending[j].at_us = UINT64_MAX;
		bench_event(b, CTL_EV_TICK);
	}
	cr_assert_neq(b->p.m[slot].periodic.id, 0);
	return b->p.m[slot].periodic.id;
}

static struct ctl_pair_event event_of(struct bench *b, const struct row *r)
{
	struct ctl_pair_event ev = { .type = r->type, .slot = r->slot, .code = r->code };

	switch (r->type) {
	case CTL_EV_ANSWER:
	case CTL_EV_ERROR:
		ev.probe = outstanding(b, r->slot);
		ev.rtt_us = 1000;
		ev.detail = r->code == CTL_ERROR_ICMP ? 3 << 8 | 3 : 0;
		break;
	case CTL_EV_CUT: ev.since_us = b->p.heard_us; break;
	case CTL_EV_ICMP: ev.detail = 3 << 8 | 1; break;
	case CTL_EV_UNANSWERED:
	case CTL_EV_LIVE_CODE: ev.method = SIP_METHOD_INVITE; break;
	case CTL_EV_GONE:
	case CTL_EV_CHANGE: ev.slots = r->code; break;
	default: break;
	}
	return ev;
}

Test(pair_table, each_row_does_what_its_source_says)
{
	static struct bench b;

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		unsigned int slot = r->slot == CTL_PAIR_NONE ? r->active : r->slot;
		struct ctl_pair_event ev;

		into(&b, r->phase);
		ev = event_of(&b, r);
		bench_step(&b, &ev);
		cr_expect(b.p.phase == r->then && b.p.active == r->active
				  && b.p.m[slot].health == r->health,
			  "row %zu: %s in %s (slot %u, code %u): %s with %u active, member %s; "
			  "expected %s, %u, %s",
			  i, ctl_pair_event_name(r->type), ctl_pair_phase_name(r->phase), r->slot,
			  r->code, ctl_pair_phase_name(b.p.phase), b.p.active,
			  ctl_pair_health_name(b.p.m[slot].health), ctl_pair_phase_name(r->then),
			  r->active, ctl_pair_health_name(r->health));
	}
}

/* Whatever came, the word names a member that is there and enabled, and somebody is asked again. */
Test(pair_table, no_row_wedges_the_pair)
{
	static struct bench b;

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		struct ctl_pair_event ev;
		uint64_t w;

		into(&b, r->phase);
		ev = event_of(&b, r);
		bench_step(&b, &ev);
		w = ctl_pair_word(&b.p, &b.conf);
		cr_expect((w & DP_WORD_VALID) != 0 && b.p.m[dp_word_active(w)].present
				  && !dp_word_down(w, dp_word_active(w)),
			  "row %zu: word %016llx", i, (unsigned long long)w);
		for (unsigned int s = 0; s < 3; s++)
			b.mood[s] = BENCH_ALIVE;
		bench_clear_log(&b);
		bench_run(&b, 16 * SEC);
		cr_expect(b.n_sent > 0 && b.p.phase != UNK && b.p.phase != OOS,
			  "row %zu: %u probes, %s although all answer", i, b.n_sent,
			  ctl_pair_phase_name(b.p.phase));
	}
}

Test(pair_table, every_state_and_event_has_a_rule_with_a_source_and_a_row)
{
	for (unsigned int p = 0; p < CTL_PAIR_PHASE_N; p++) {
		for (unsigned int e = 0; e < CTL_EV_N; e++) {
			unsigned int n = 0;

			cr_expect(ctl_pair_rule(p, e) != NULL, "no rule for %s in %s",
				  ctl_pair_event_name(e), ctl_pair_phase_name(p));
			for (size_t i = 0; i < N_ROWS; i++)
				n += rows[i].phase == p && rows[i].type == e;
			cr_expect(n > 0 || e >= CTL_EV_EXTERNAL_N, "no row for %s in %s",
				  ctl_pair_event_name(e), ctl_pair_phase_name(p));
		}
	}
	for (unsigned int h = 0; h < CTL_HEALTH_N; h++) {
		for (unsigned int in = 0; in < CTL_PAIR_INPUTS; in++)
			cr_expect(ctl_pair_member_rule(h, in) != NULL, "no rule for input %u in %s",
				  in, ctl_pair_health_name(h));
	}
}

/* What names a member that is not there, a probe that is not outstanding, or comes before any
 * member does nothing. */
Test(pair_table, events_about_nobody_are_ignored)
{
	static struct bench b;

	for (unsigned int e = 0; e < CTL_EV_EXTERNAL_N; e++) {
		struct ctl_pair_event ev = { .type = (enum ctl_pair_event_type)e,
					     .slot = 7,
					     .probe = 99999,
					     .code = 200,
					     .slots = e == CTL_EV_CHANGE ? 0 : 1u << 7 };

		bench_init(&b, 3);
		bench_step(&b, &ev);
		cr_expect(b.p.active == CTL_PAIR_NONE && b.p.phase == UNK && b.n_sent == 0, "%s",
			  ctl_pair_event_name(e));
		cr_expect_eq(ctl_pair_word(&b.p, &b.conf), 0);
		if (e == CTL_EV_PIN || e == CTL_EV_SWITCH)
			continue;
		into(&b, PRI);
		ev.slot = 200;
		bench_step(&b, &ev);
		cr_expect(b.p.phase == PRI && b.p.active == 0 && b.p.m[0].health == UP, "%s",
			  ctl_pair_event_name(e));
	}
}
