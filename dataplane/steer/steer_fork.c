/*
 * Response contexts (RFC 3261 16.7, 16.10): what comes back on several branches of one request, and
 * its CANCEL.
 *
 * One branch is in use: the one that the record and the flight name. Those before it were given up:
 * nothing of them reaches the client any more but a 2xx, or their final when it is the best and all
 * others have failed. Every 2xx to an INVITE passes; of the other finals one does, and none after a
 * 2xx. What does not pass is ACKed here.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

/* ---- Branches ---- */

static struct steer_try *add(struct steer_context *x, const struct steer_way *way, uint64_t now_us)
{
	struct steer_try *t = &x->t[x->n++];

	*t = (struct steer_try){
		.next_us = UINT64_MAX,
		.sent_us = now_us,
		.member = way->member,
		.listener = way->listener,
		.attempt = way->attempt,
		.wait_us = STEER_T1_US,
	};
	return t;
}

struct steer_context *steer_fork_begin(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x = steer_store_context_of(s->store, f);
	struct steer_way way = { f->member, f->listener, f->attempt };
	struct steer_try *t;

	if (x)
		return x;
	x = steer_store_context(s->store, f);
	if (!x) {
		s->p.counters->contexts_full++;
		return NULL;
	}
	s->p.counters->contexts_made++;
	t = add(x, &way, f->branch_us);
	if (f->record->flags & STEER_RECORD_HEARD)
		t->flags |= STEER_BRANCH_HEARD;
	if (f->record->flags & STEER_RECORD_PROVISIONAL)
		t->flags |= STEER_BRANCH_PROVISIONAL;
	return x;
}

struct steer_try *steer_fork_current(struct steer_context *x, const struct steer_flight *f)
{
	for (unsigned int i = x->n; i-- > 1;)
		if (x->t[i].attempt == f->attempt)
			return &x->t[i];
	return &x->t[0];
}

struct steer_try *steer_fork_add(struct steer *s, struct steer_flight *f, struct steer_context *x,
				 const struct steer_way *way, bool ours)
{
	struct steer_try *t = steer_fork_current(x, f);

	t->flags |= STEER_BRANCH_ABANDONED;
	if (!(t->flags & STEER_BRANCH_CANCELLING))
		t->next_us = UINT64_MAX;
	t = add(x, way, s->now_us);
	/* A client that has had a provisional sends no more (17.1.1.2). */
	if (ours || (f->flags & STEER_FLIGHT_TOLD && f->method == SIP_METHOD_INVITE)) {
		t->flags |= STEER_BRANCH_OURS;
		t->next_us = s->now_us + t->wait_us;
		/* Its client has waited already, and when a server dies many go to the next one at
		 * once: what is lost there is sent once more early (17.1.1.1: T1 is an estimate of
		 * the round trip). */
		if (f->method == SIP_METHOD_INVITE)
			t->next_us = s->now_us + steer_peer_patience(&s->peers[t->member]);
	}
	return t;
}

void steer_fork_sent(struct steer *s, struct steer_flight *f, struct steer_context *x)
{
	struct steer_try *t = steer_fork_current(x, f);

	if (t->next_us != UINT64_MAX && !(t->flags & STEER_BRANCH_CANCELLING))
		t->next_us = s->now_us + t->wait_us;
}

static struct steer_try *find(const struct steer *s, struct steer_context *x,
			      const struct steer_branch *b)
{
	for (unsigned int i = 0; i < x->n; i++) {
		const struct dp_pair *p = dp_cfg_pair(s->cfg, x->t[i].member / DP_PAIR_MEMBERS);

		if (x->t[i].attempt == b->attempt && p
		    && dp_pair_member(p, x->t[i].member % DP_PAIR_MEMBERS)->key == b->member)
			return &x->t[i];
	}
	return NULL;
}

/* ---- CANCEL ---- */

/* A member that is down gets none, unless its twin knows the transaction, or it is on trial. */
static bool may_cancel(const struct steer *s, const struct steer_flight *f,
		       const struct steer_try *t)
{
	return !steer_flight_is_down(s, t->member) || f->record->flags & STEER_RECORD_TRIAL
	       || steer_flight_pair_flag(s, t->member, DP_PAIR_SHARES_TRANSACTIONS);
}

/* The response to our CANCEL has no Via from which its transaction could be computed (9.1): it is
 * found by the tag of its branch, which nobody else can make. */
static void expect_cancelled(struct steer *s, const struct steer_flight *f, uint64_t tag)
{
	struct steer_record *r = steer_records_insert(s->records, tag, s->now_us, STEER_T1_64_US);

	if (!r)
		return;
	r->method = SIP_METHOD_CANCEL;
	r->member = STEER_NO_MEMBER;
	r->flight = steer_store_number(s->store, f);
	r->client = f->key;
}

/* RFC 3261 9.1: only once the branch has had a provisional. */
static void cancel_branch(struct steer *s, struct steer_flight *f, struct steer_try *t)
{
	t->flags |= STEER_BRANCH_CANCEL;
	if (t->final || t->flags & STEER_BRANCH_CANCELLING || !(t->flags & STEER_BRANCH_HEARD)
	    || !may_cancel(s, f, t) || !steer_replay_cancel(s, f, t))
		return;
	expect_cancelled(s, f, steer_replay_tag(s));
	t->flags |= STEER_BRANCH_CANCELLING;
	t->sent_us = s->now_us;
	t->wait_us = STEER_T1_US;
	t->next_us = s->now_us + t->wait_us;
	s->p.counters->own_cancels++;
}

void steer_fork_cancel_all(struct steer *s, struct steer_flight *f, struct steer_context *x,
			   const struct steer_try *but)
{
	if (f->method != SIP_METHOD_INVITE)
		return;
	for (unsigned int i = 0; i < x->n; i++)
		if (&x->t[i] != but)
			cancel_branch(s, f, &x->t[i]);
}

bool steer_fork_cancel(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x = steer_store_context_of(s->store, f);

	if (!x)
		x = steer_fork_begin(s, f);
	if (!x)
		return false;
	x->flags |= STEER_CONTEXT_CANCELLED;
	x->cancelled_us = s->now_us;
	steer_fork_cancel_all(s, f, x, NULL);
	steer_timer_set(s, f);
	return true;
}

bool steer_fork_is_cancelled(struct steer_ctx *c, const struct steer_branch *b)
{
	struct steer *s = c->s;
	struct steer_record *r =
		s->store ? steer_records_find(s->records, b->tag, s->now_us) : NULL;
	struct steer_context *x;
	struct steer_flight *f;

	if (!r || r->method != SIP_METHOD_CANCEL || r->flight == STEER_NONE)
		return false;
	f = steer_store_flight(s->store, r->flight);
	x = f->record && f->key == r->client ? steer_store_context_of(s->store, f) : NULL;
	for (unsigned int i = 0; x && i < x->n && c->m->status >= 200; i++) {
		if (x->t[i].attempt != b->attempt)
			continue;
		x->t[i].flags |= STEER_BRANCH_CANCELLED;
		x->t[i].next_us = UINT64_MAX;
	}
	return true;
}

/* ---- The best final: 16.7 item 6 ---- */

/* Lower is better. */
static unsigned int rank(uint16_t status, const struct steer_try *t)
{
	/* What our own second send provoked says nothing about the request. */
	if (t->attempt > 0 && (status == 482 || status == 500))
		return 1000;
	switch (status) {
	case 401:
	case 407:
	case 415:
	case 420:
	case 484: return 350;
	case 408: return 499; /* of one that did not hear from where it went */
	case 503: return 900;
	default: return status >= 600 ? 0 : status;
	}
}

void steer_fork_keep(struct steer *s, struct steer_context *x, const struct steer_try *t,
		     uint16_t status, const uint8_t *msg, uint32_t len)
{
	if (x->best_status && rank(status, t) > rank(x->best_status, &x->t[x->best]))
		return;
	if (!steer_store_put(s->store, &x->best_copy, msg, len))
		return;
	x->best_status = status;
	x->best = (uint8_t)(t - x->t);
}

/* ---- Responses ---- */

/* What a step knows. */
struct fork {
	struct steer_ctx *c;
	struct steer *s;
	struct steer_record *rec;
	struct steer_flight *f;
	struct steer_context *x;
	struct steer_try *t; /* branch of the response */
	uint16_t status;
	uint8_t by; /* slot of the member that it came from */
	bool invite;
};

static bool absorb(struct fork *k, const char *why)
{
	bool final = k->status >= 200;

	if (final && k->invite && k->status / 100 != 2
	    && steer_replay_ack(k->s, k->f, k->t, k->c->m))
		k->s->p.counters->own_acks++;
	steer_timer_set(k->s, k->f);
	steer_drop(k->c, DP_REASON_RESP_ABSORBED, why);
	return false;
}

static void keep(struct fork *k)
{
	steer_fork_keep(k->s, k->x, k->t, k->status, k->c->in->buf, k->c->m->len);
}

/* This branch is the one that the client's ACK is for. */
static void use(struct fork *k)
{
	k->rec->member = k->f->member = k->t->member;
	k->rec->listener = k->f->listener = k->t->listener;
	k->rec->attempt = k->f->attempt = k->t->attempt;
}

static bool is_current(const struct fork *k)
{
	return k->t->attempt == k->f->attempt;
}

static bool provisional(struct fork *k)
{
	k->t->flags |= k->status > 100 ? STEER_BRANCH_PROVISIONAL : 0;
	if (k->t->flags & STEER_BRANCH_CANCEL)
		cancel_branch(k->s, k->f, k->t);
	if (k->rec->state != STEER_RECORD_OPEN)
		return absorb(k, "its client has had a final");
	if (!is_current(k)) {
		if (k->invite) /* 16.7: nobody waits for it any more */
			cancel_branch(k->s, k->f, k->t);
		return absorb(k, "a provisional of a branch that was given up");
	}
	k->f->flags |= STEER_FLIGHT_TOLD;
	if (k->invite && !(k->f->flags & STEER_FLIGHT_TIMER_C))
		k->f->until_us = k->s->now_us + STEER_TIMER_C_US;
	steer_timer_set(k->s, k->f);
	return true;
}

/* 16.7 items 5 and 10: it passes, and the other branches are cancelled. */
static bool accepted(struct fork *k)
{
	if (!k->invite && k->rec->state != STEER_RECORD_OPEN)
		return absorb(k, "its client has had a final");
	if (k->invite)
		k->rec->state = STEER_RECORD_OPEN; /* for the caller, who writes it down */
	if (k->t && !(k->x->flags & STEER_CONTEXT_ACCEPTED))
		use(k);
	k->x->flags |= STEER_CONTEXT_ACCEPTED;
	k->f->flags |= STEER_FLIGHT_ACKED; /* a final of ours is not sent again */
	steer_fork_cancel_all(k->s, k->f, k->x, k->t);
	if (k->t)
		steer_flight_done(k->s, k->f);
	else
		steer_flight_linger(k->s, k->f);
	return true;
}

/* An earlier branch may still have an answer: of a server that is not down. */
static struct steer_try *still_open(const struct fork *k)
{
	for (unsigned int i = 0; i < k->x->n; i++) {
		struct steer_try *t = &k->x->t[i];

		if (t != k->t && t->final == 0 && !steer_flight_is_down(k->s, t->member))
			return t;
	}
	return NULL;
}

/* A 482 (8.2.2.2) or 500 (10.3 item 7) because the request had reached the twin through the member
 * that was given up: that one has it, and its answer is the one to wait for. */
static bool back_to_first(struct fork *k)
{
	struct steer_try *open;

	if (k->t->attempt == 0
	    || !(k->status == 482 || (k->status == 500 && k->rec->method == SIP_METHOD_REGISTER)))
		return false;
	open = still_open(k);
	if (!open)
		return false;
	keep(k);
	open->flags &= (uint8_t)~STEER_BRANCH_ABANDONED;
	k->rec->member = k->f->member = open->member;
	k->rec->listener = k->f->listener = open->listener;
	k->rec->attempt = k->f->attempt = open->attempt;
	if (open->flags & STEER_BRANCH_HEARD)
		k->rec->flags |= STEER_RECORD_HEARD;
	return true;
}

static bool is_better_kept(const struct fork *k)
{
	return k->x->best_status
	       && rank(k->x->best_status, &k->x->t[k->x->best]) < rank(k->status, k->t);
}

static bool failed(struct fork *k)
{
	if (k->rec->state != STEER_RECORD_OPEN)
		return absorb(k, "its client has had a final");
	if (!is_current(k)) {
		keep(k);
		return absorb(k, "a final of a branch that was given up: kept back");
	}
	if (steer_flight_refused(k->s, k->rec, k->status, k->t->attempt)
	    && steer_flight_move(k->s, k->f, DP_RESCUE_CODE)) {
		keep(k);
		return absorb(k, "refused: on to the next member");
	}
	if (back_to_first(k))
		return absorb(k, "our own second send provoked it: the first may answer yet");
	if (is_better_kept(k)) {
		absorb(k, "a better final was kept back");
		steer_timer_final(k->s, k->f, 0);
		return false;
	}
	use(k);
	steer_fork_cancel_all(k->s, k->f, k->x, k->t);
	steer_flight_done(k->s, k->f);
	return true;
}

/* A final once more: the client's ACK answers it if it was passed, we do if it was not. */
static bool again(struct fork *k)
{
	if (k->invite && k->status / 100 == 2)
		return true;
	if (k->rec->state == STEER_RECORD_FINAL && is_current(k) && k->by == k->rec->final_by)
		return true;
	return absorb(k, "a final that was absorbed before");
}

bool steer_fork_response(struct steer_ctx *c, struct steer_resp *r, struct steer_flight *f,
			 struct steer_context *x)
{
	struct fork k = {
		.c = c,
		.s = c->s,
		.rec = r->record,
		.f = f,
		.x = x,
		.t = find(c->s, x, &r->branch),
		.status = c->m->status,
		.by = r->slot,
		.invite = r->record->method == SIP_METHOD_INVITE,
	};
	bool first;

	/* Of a branch that was given up before there was a context, or of a former life of its
	 * client's branch: for the client the INVITE is accepted. */
	if (!k.t && k.invite && k.status / 100 == 2)
		return x->flags & STEER_CONTEXT_ACCEPTED || accepted(&k);
	if (!k.t) {
		steer_drop(c, DP_REASON_RESP_ABSORBED, "a branch that nobody knows");
		return false;
	}
	k.t->flags |= STEER_BRANCH_HEARD;
	if (!(k.t->flags & STEER_BRANCH_CANCELLING) || k.status >= 200)
		k.t->next_us = UINT64_MAX;
	if (k.status < 200)
		return provisional(&k);
	first = k.t->final == 0;
	k.t->final = k.status;
	if (!first)
		return again(&k);
	return k.status / 100 == 2 ? accepted(&k) : failed(&k);
}

/* ---- Time ---- */

/* Timers E and F of a CANCEL. */
static void cancel_again(struct steer *s, struct steer_flight *f, struct steer_try *t)
{
	t->next_us = UINT64_MAX;
	if (s->now_us - t->sent_us >= STEER_T1_64_US)
		return;
	if (t->wait_us == STEER_T1_US)
		steer_event(s, DP_EVENT_UNANSWERED, t->member, SIP_METHOD_CANCEL, 0);
	if (may_cancel(s, f, t) && steer_replay_cancel(s, f, t))
		s->p.counters->own_retransmits++;
	t->wait_us = 2 * t->wait_us < STEER_T2_US ? 2 * t->wait_us : STEER_T2_US;
	t->next_us = s->now_us + t->wait_us;
}

/* Timers A and E of a request. */
static void request_again(struct steer *s, struct steer_flight *f, struct steer_try *t)
{
	t->next_us = UINT64_MAX;
	if (f->record->state != STEER_RECORD_OPEN || t->final
	    || t->flags & (STEER_BRANCH_HEARD | STEER_BRANCH_ABANDONED))
		return;
	if (!steer_replay_again(s, f, t))
		return;
	s->p.counters->own_retransmits++;
	if (s->now_us < t->sent_us + STEER_T1_US) {
		t->next_us = t->sent_us + STEER_T1_US;
		return;
	}
	t->wait_us *= 2;
	if (t->wait_us > STEER_T2_US && f->method != SIP_METHOD_INVITE)
		t->wait_us = STEER_T2_US;
	t->next_us = s->now_us + t->wait_us;
}

void steer_fork_due(struct steer *s, struct steer_flight *f, struct steer_context *x)
{
	for (unsigned int i = 0; i < x->n; i++) {
		struct steer_try *t = &x->t[i];

		if (t->next_us > s->now_us)
			continue;
		if (t->flags & STEER_BRANCH_CANCELLING)
			cancel_again(s, f, t);
		else
			request_again(s, f, t);
	}
}
