/*
 * What time does to a request in flight.
 *
 *   silence        an INVITE without any response for max(100 ms, 4 round trips), others for T1:
 *                  control is told; a trial of signal failback ends; what a member got while it
 *                  took over from its twin is sent once more
 *   no response    no-response-timeout without any response: on to the next member
 *   A, E           our own retransmissions of requests and CANCELs   RFC 3261 17.1.1.2, 17.1.2.2
 *   B, F           64*T1 without any response: 408 to an INVITE      17.1.1.2, 17.1.2.2, 16.8
 *   C              an INVITE that rings without end is cancelled     16.6 item 11, 16.8
 *   G, H           our own finals, until their ACK                   17.2.1
 *   stranded       its member is down and there was no other: another try each T1
 *   cancelled      64*T1 after a CANCEL without a final: 487         9.1
 *
 * A flight is on the wheel at the earliest of these.
 */
#include "dataplane/steer/steer_flight.h"

#define RUN_BUDGET 64 /* flights that one call looks at: some 0.3 ms at most */
/** A client's second send comes at T1, give or take: it must find its member as it was, not made
 * suspect a moment before by this very request. */
#define SECOND_SEND_US 50000
/** How long after a member's death its twin may be overrun by what it takes over. */
#define TAKEOVER_US 1000000

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- When ---- */

static uint64_t silence_at(const struct steer *s, const struct steer_flight *f)
{
	uint32_t us = f->method == SIP_METHOD_INVITE ? steer_peer_patience(&s->peers[f->member])
						     : STEER_T1_US + SECOND_SEND_US;

	return f->branch_us + us;
}

/* A final that is kept back is sent while its client still waits for it. */
static uint64_t kept_at(const struct steer_flight *f)
{
	return f->until_us - STEER_T1_US;
}

static uint64_t open_due(const struct steer *s, const struct steer_flight *f,
			 const struct steer_context *x)
{
	uint64_t due = f->until_us;

	if (!(f->record->flags & STEER_RECORD_HEARD)) {
		if (!(f->record->flags & STEER_RECORD_DOUBTED))
			due = earlier(due, silence_at(s, f));
		if (!(f->flags & STEER_FLIGHT_TIMED_OUT) && f->no_response_us)
			due = earlier(due, f->branch_us + f->no_response_us);
		if (x && x->best_status)
			due = earlier(due, kept_at(f));
	}
	if (x && x->flags & STEER_CONTEXT_CANCELLED)
		due = earlier(due, x->cancelled_us + STEER_T1_64_US);
	if (f->flags & STEER_FLIGHT_STRANDED)
		due = earlier(due, s->now_us + STEER_T1_US);
	return due;
}

void steer_timer_set(struct steer *s, struct steer_flight *f)
{
	const struct steer_context *x = steer_store_context_of(s->store, f);
	uint64_t due = f->until_us;

	if (!(f->flags & (STEER_FLIGHT_ANSWERED | STEER_FLIGHT_DONE)))
		due = open_due(s, f, x);
	else if (f->flags & STEER_FLIGHT_ANSWERED && !(f->flags & STEER_FLIGHT_ACKED)
		 && f->method == SIP_METHOD_INVITE)
		due = earlier(due, f->branch_us);
	for (unsigned int i = 0; x && i < x->n; i++)
		due = earlier(due, x->t[i].next_us);
	steer_store_at(s->store, f, due);
}

/* Nothing has been heard of it yet, there is one branch, and it is on no list. */
void steer_timer_begin(struct steer *s, struct steer_flight *f)
{
	uint64_t due = earlier(f->until_us, silence_at(s, f));

	if (f->no_response_us)
		due = earlier(due, f->branch_us + f->no_response_us);
	steer_store_at(s->store, f, due);
}

/* ---- Finals of our own ---- */

static bool send_final(struct steer *s, struct steer_flight *f)
{
	if (f->status)
		return steer_replay_answer(s, f, f->status);
	return steer_replay_kept(s, f, steer_store_context_of(s->store, f));
}

void steer_timer_final(struct steer *s, struct steer_flight *f, uint16_t status)
{
	struct steer_context *x = steer_store_context_of(s->store, f);

	f->status = status;
	f->flags |= STEER_FLIGHT_ANSWERED;
	f->n_finals = 1;
	f->branch_us = s->now_us + STEER_T1_US;
	f->until_us = s->now_us + STEER_T1_64_US;
	f->record->state = STEER_RECORD_ANSWERED;
	steer_records_hold(s->records, f->record, s->now_us, STEER_T1_64_US + STEER_HOLD_SLACK_US);
	if (send_final(s, f))
		s->p.counters->own_finals++;
	if (x)
		steer_fork_cancel_all(s, f, x, NULL);
	steer_timer_set(s, f);
}

void steer_timer_final_again(struct steer *s, struct steer_flight *f)
{
	uint32_t wait_us = STEER_T2_US;

	if (send_final(s, f))
		s->p.counters->own_retransmits++;
	/* Timer G: T1, doubled up to T2 (17.2.1). */
	if (f->n_finals < 3)
		wait_us = STEER_T1_US << f->n_finals;
	if (f->n_finals < UINT8_MAX)
		f->n_finals++;
	f->branch_us = s->now_us + wait_us;
	steer_timer_set(s, f);
}

/* ---- What is due ---- */

static void end_of_invite(struct steer *s, struct steer_flight *f, struct steer_context *x)
{
	bool heard = f->record->flags & STEER_RECORD_HEARD;
	uint16_t status = x && x->flags & STEER_CONTEXT_CANCELLED ? 487 : 408;

	if (heard && !(f->flags & STEER_FLIGHT_TIMER_C)) {
		f->flags |= STEER_FLIGHT_TIMER_C;
		s->p.counters->timer_c++;
		f->record->flags |= STEER_RECORD_CANCELLED;
		f->until_us = s->now_us + STEER_T1_64_US;
		if (!x)
			x = steer_fork_begin(s, f);
		if (x)
			steer_fork_cancel_all(s, f, x, NULL);
		return;
	}
	steer_timer_final(s, f, x && x->best_status ? 0 : status);
}

/* @return whether the flight has ended. */
static bool end_of_wait(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x = steer_store_context_of(s->store, f);

	if (x && x->flags & STEER_CONTEXT_CANCELLED
	    && s->now_us >= x->cancelled_us + STEER_T1_64_US) {
		steer_timer_final(s, f, 487);
		return true;
	}
	if (x && x->best_status && !(f->record->flags & STEER_RECORD_HEARD)
	    && s->now_us >= kept_at(f)) {
		steer_timer_final(s, f, 0);
		return true;
	}
	if (s->now_us < f->until_us)
		return false;
	if (f->method == SIP_METHOD_INVITE) {
		end_of_invite(s, f, x);
		return f->flags & STEER_FLIGHT_ANSWERED;
	}
	steer_flight_remove(s, f); /* RFC 4320 4.1: no 408 to it */
	return true;
}

/* What its client has just sent to a member that is taking over from its twin may have been lost
 * there, beside all that was rescued: an INVITE is sent once more before its client would do it, as
 * one that was rescued is (17.1.1.1: T1 is an estimate of the round trip). */
static void hurry(struct steer *s, struct steer_flight *f)
{
	uint64_t taken_us = s->peers[f->member].taken_us;
	struct steer_try t = { .member = f->member,
			       .listener = f->listener,
			       .attempt = f->attempt };

	if (f->method != SIP_METHOD_INVITE || f->context != STEER_NONE
	    || f->record->flags & STEER_RECORD_TRIAL || taken_us == 0
	    || f->branch_us > taken_us + TAKEOVER_US || steer_flight_is_down(s, f->member))
		return;
	if (steer_replay_again(s, f, &t))
		s->p.counters->own_retransmits++;
}

static void silent(struct steer *s, struct steer_flight *f)
{
	struct steer_record *rec = f->record;
	bool over = s->now_us >= f->until_us; /* its client waits no longer */

	if (s->now_us >= silence_at(s, f)) {
		if (!(rec->flags & STEER_RECORD_DOUBTED))
			hurry(s, f);
		steer_flight_doubt(s, rec, f->member, f->method);
		if (rec->flags & STEER_RECORD_TRIAL) {
			steer_trial_end(s, rec, 0);
			if (!over && steer_flight_move(s, f, DP_RESCUE_TRIAL))
				return;
		}
	}
	if (f->no_response_us && s->now_us >= f->branch_us + f->no_response_us
	    && !(f->flags & STEER_FLIGHT_TIMED_OUT)) {
		f->flags |= STEER_FLIGHT_TIMED_OUT;
		steer_flight_failed(s, rec, f->member);
		if (!over && !(rec->flags & STEER_RECORD_CANCELLED))
			steer_flight_move(s, f, DP_RESCUE_TIMEOUT);
	}
}

/* Its member is down, and there was no other; one may have come back. */
static void stranded(struct steer *s, struct steer_flight *f)
{
	f->flags &= (uint16_t)~STEER_FLIGHT_STRANDED;
	if (!steer_flight_is_down(s, f->member)
	    || f->record->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED)
	    || s->now_us >= f->until_us)
		return;
	if (!steer_flight_move(s, f, DP_RESCUE_DOWN))
		f->flags |= STEER_FLIGHT_STRANDED;
}

static void fire(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x;

	if (!steer_flight_record(s, f)) {
		steer_flight_remove(s, f);
		return;
	}
	if (f->flags & (STEER_FLIGHT_ANSWERED | STEER_FLIGHT_DONE)) {
		if (s->now_us >= f->until_us) {
			steer_flight_remove(s, f);
			return;
		}
		if (f->flags & STEER_FLIGHT_ANSWERED && !(f->flags & STEER_FLIGHT_ACKED)
		    && f->method == SIP_METHOD_INVITE && s->now_us >= f->branch_us)
			steer_timer_final_again(s, f);
	} else {
		if (f->flags & STEER_FLIGHT_STRANDED)
			stranded(s, f);
		if (!(f->record->flags & STEER_RECORD_HEARD))
			silent(s, f);
		if (end_of_wait(s, f))
			return;
	}
	x = steer_store_context_of(s->store, f);
	if (x)
		steer_fork_due(s, f, x);
	steer_timer_set(s, f);
}

void steer_timer_run(struct steer *s)
{
	struct steer_flight *f;

	for (unsigned int n = 0; n < RUN_BUDGET && (f = steer_store_due(s->store, s->now_us)); n++)
		fire(s, f);
}
