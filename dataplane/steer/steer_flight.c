/*
 * The life of a request in flight: begun by its first send, judged by what comes back, moved to
 * another member by its client's own sends, by a refusal or by whoever calls steer_flight_move(),
 * ended by its final.
 *
 * Invariant: a record in use names its flight, and the flight its record; when a record's place has
 * been given to another transaction the two no longer agree, and the flight ends at its next time.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

struct steer_flight *steer_flight_of(const struct steer *s, const struct steer_record *r)
{
	struct steer_flight *f;

	if (r->flight == STEER_NONE)
		return NULL;
	f = steer_store_flight(s->store, r->flight);
	return f->record == r && f->key == r->key ? f : NULL;
}

struct steer_record *steer_flight_record(const struct steer *s, const struct steer_flight *f)
{
	struct steer_record *r = f->record;

	return r && r->key == f->key && r->flight == steer_store_number(s->store, f) ? r : NULL;
}

void steer_flight_remove(struct steer *s, struct steer_flight *f)
{
	struct steer_record *r = steer_flight_record(s, f);

	if (r)
		r->flight = STEER_NONE;
	steer_store_remove(s->store, steer_store_number(s->store, f));
}

static const struct dp_pair *pair_of(const struct steer *s, uint32_t member)
{
	return dp_cfg_pair(s->cfg, member / DP_PAIR_MEMBERS);
}

bool steer_flight_pair_flag(const struct steer *s, uint32_t member, enum dp_pair_flags flag)
{
	const struct dp_pair *p = pair_of(s, member);

	return p && p->flags & flag;
}

bool steer_flight_is_down(const struct steer *s, uint32_t member)
{
	return dp_word_down(steer_word(s, (uint16_t)(member / DP_PAIR_MEMBERS)),
			    member % DP_PAIR_MEMBERS);
}

/* Whether a request may have another branch. */
static bool has_room(const struct steer *s, const struct steer_record *rec,
		     const struct steer_flight *f)
{
	const struct steer_context *x = f ? steer_store_context_of(s->store, f) : NULL;

	return rec->attempt < STEER_COPY_ATTEMPT - 1 && (!x || x->n < STEER_MAX_BRANCHES);
}

static uint16_t slot_bit(uint32_t member)
{
	return (uint16_t)(1u << member % DP_PAIR_MEMBERS);
}

/* ---- Requests of the client ---- */

/* A flight of a request that goes to a member for the first time. */
static void begin(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct steer_record *rec = c->t.record;
	struct steer *s = c->s;
	uint32_t number = steer_store_add(s->store, c->in->buf, c->in->len);
	struct steer_flight *f;

	if (number == STEER_NONE) {
		s->p.counters->copies_full++;
		return;
	}
	s->p.counters->copies_made++;
	f = steer_store_flight(s->store, number);
	f->record = rec;
	f->key = rec->key;
	f->src_ip = c->in->src.ip;
	f->src_port = c->in->src.port;
	f->dst_ip = c->in->dst.ip;
	f->dst_port = c->in->dst.port;
	f->no_response_us = hop->pair->no_response_us;
	f->first_us = f->branch_us = s->now_us;
	f->until_us = s->now_us + STEER_T1_64_US;
	f->member = rec->member;
	f->listener = hop->from->key;
	f->attempt = rec->attempt;
	f->method = rec->method;
	f->flags = c->in_dialog ? STEER_FLIGHT_IN_DIALOG : 0;
	rec->flight = number;
	if (rec->method != SIP_METHOD_INVITE)
		steer_records_hold(s->records, rec, s->now_us,
				   STEER_T1_64_US + STEER_HOLD_SLACK_US);
	steer_timer_begin(s, f);
}

static void branch_begins(struct steer *s, struct steer_record *rec)
{
	rec->sends = 1;
	rec->sent_us = (uint32_t)s->now_us;
	rec->tried |= slot_bit(rec->member);
	rec->flags &=
		(uint16_t) ~(STEER_RECORD_HEARD | STEER_RECORD_DOUBTED | STEER_RECORD_PROVISIONAL);
}

/* How long the branch in use may stay without any response (Timers B and F): as long as the client
 * waits; anew when it has had a provisional and waits without end. */
static uint64_t silence_ends(const struct steer *s, const struct steer_flight *f)
{
	return (f->flags & STEER_FLIGHT_TOLD ? s->now_us : f->first_us) + STEER_T1_64_US;
}

static void use_branch(struct steer *s, struct steer_flight *f, const struct steer_way *way)
{
	f->member = way->member;
	f->listener = way->listener;
	f->attempt = way->attempt;
	f->branch_us = s->now_us;
	f->until_us = silence_ends(s, f);
	f->flags &= (uint16_t) ~(STEER_FLIGHT_TIMED_OUT | STEER_FLIGHT_STRANDED);
}

/* The client's own send has gone to another member. */
static void moved(struct steer_ctx *c, struct steer_flight *f, const struct steer_hop *hop)
{
	struct steer_way way = { c->t.record->member, hop->from->key, hop->attempt };
	struct steer_context *x = steer_fork_begin(c->s, f);

	if (x)
		steer_fork_add(c->s, f, x, &way, false);
	use_branch(c->s, f, &way);
}

/* A further send of the client. */
static void sent_again(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct steer_record *rec = c->t.record;
	struct steer *s = c->s;
	struct steer_flight *f = s->store ? steer_flight_of(s, rec) : NULL;
	struct steer_context *x;

	if (c->cause != DP_RESCUE_N) {
		if (f)
			moved(c, f, hop);
		branch_begins(s, rec);
		if (f)
			steer_timer_set(s, f);
		return;
	}
	if (f && f->member != rec->member) { /* that one is gone: it starts anew, without help */
		steer_flight_remove(s, f);
		return;
	}
	x = f ? steer_store_context_of(s->store, f) : NULL;
	if (x)
		steer_fork_sent(s, f, x);
}

void steer_flight_sent(struct steer_ctx *c, const struct steer_hop *hop)
{
	struct steer_record *rec = c->t.record;
	struct steer *s = c->s;

	if (!s->peers || rec->method != c->m->method || rec->member == STEER_NO_MEMBER)
		return;
	if (hop->pair->flags & DP_PAIR_CONCURRENT && rec->method == SIP_METHOD_REGISTER)
		steer_copy_sent(c, hop);
	if (rec->sends > 0) {
		sent_again(c, hop);
		return;
	}
	branch_begins(s, rec);
	if (s->store && hop->pair->failover_methods >> rec->method & 1)
		begin(c, hop);
}

/* Why a client's further send goes elsewhere, DP_RESCUE_N: it does not. */
static enum dp_rescue why_elsewhere(const struct steer *s, const struct steer_record *rec,
				    const struct dp_pair *pair, const struct dp_member *m,
				    uint64_t word)
{
	const struct steer_peer *peer = s->peers ? &s->peers[rec->member] : NULL;
	uint64_t age_us = (uint32_t)((uint32_t)s->now_us - rec->sent_us);

	if (rec->flags & STEER_RECORD_TRIAL)
		return rec->flags & STEER_RECORD_HEARD ? DP_RESCUE_N : DP_RESCUE_TRIAL;
	if (dp_word_down(word, m->slot))
		return DP_RESCUE_DOWN;
	if (!peer || rec->flags & STEER_RECORD_HEARD || rec->sends < 2)
		return DP_RESCUE_N;
	if (!(pair->failover_methods >> rec->method & 1) || pair->retry_counts == 0)
		return DP_RESCUE_N;
	if (rec->sends >= pair->retry_counts)
		return DP_RESCUE_SENDS;
	/* It was suspect when this came, and has answered nobody since this was first sent. */
	if (dp_word_suspect(word, m->slot) && peer->answered_us + age_us < s->now_us)
		return DP_RESCUE_SENDS;
	return DP_RESCUE_N;
}

const struct dp_member *steer_flight_resend(struct steer_ctx *c, const struct dp_pair *pair,
					    const struct dp_member *m, uint64_t word)
{
	struct steer_record *rec = c->t.record;
	const struct dp_member *next;
	enum dp_rescue cause;
	struct steer *s = c->s;

	if (rec->method != c->m->method || rec->state != STEER_RECORD_OPEN
	    || (s->peers && rec->sends == 0)
	    || rec->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED))
		return NULL;
	if (rec->sends < UINT8_MAX)
		rec->sends++;
	cause = why_elsewhere(s, rec, pair, m, word);
	if (cause == DP_RESCUE_N && s->peers && rec->sends >= 2)
		steer_flight_doubt(s, rec, rec->member, rec->method);
	if (cause == DP_RESCUE_N || !has_room(s, rec, s->store ? steer_flight_of(s, rec) : NULL))
		return NULL;
	next = steer_next_member(pair, word, rec->method, c->in_dialog,
				 (uint16_t)(rec->tried | 1u << m->slot), cause == DP_RESCUE_DOWN);
	if (!next)
		return NULL;
	if (cause == DP_RESCUE_SENDS)
		steer_flight_doubt(s, rec, rec->member, rec->method);
	c->cause = cause;
	if (cause == DP_RESCUE_TRIAL)
		steer_trial_end(s, rec, 0);
	if (s->peers)
		steer_flight_rescued(s, rec, rec->member, steer_member_number(c->cfg, pair, next),
				     cause);
	return next;
}

static bool absorb(struct steer_ctx *c, enum dp_reason reason, const char *why)
{
	steer_drop(c, reason, why);
	return false;
}

/* Kept-back and own finals are ACKed here, and need not be sent again. */
static void acked(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x = steer_store_context_of(s->store, f);

	f->flags |= STEER_FLIGHT_ACKED;
	if (!x || x->n == 0)
		steer_flight_remove(s, f);
}

void steer_flight_own_ack(struct steer_ctx *c)
{
	struct steer_flight *f;

	if (!c->s->store || c->source)
		return;
	steer_transaction_find(c);
	f = c->t.record ? steer_flight_of(c->s, c->t.record) : NULL;
	if (f && f->flags & STEER_FLIGHT_ANSWERED)
		acked(c->s, f);
}

/* RFC 3261 16.10, 9.2: answered here; what it cancels is for the response context. */
static bool cancel(struct steer_ctx *c, struct steer_flight *f)
{
	struct steer_record *rec = c->t.record;
	bool again = rec->flags & STEER_RECORD_CANCELLED;

	if (!again && rec->state != STEER_RECORD_ANSWERED) {
		if (!f || rec->method != SIP_METHOD_INVITE || rec->state != STEER_RECORD_OPEN)
			return true;
		if (!steer_fork_cancel(c->s, f))
			return true;
		rec->flags |= STEER_RECORD_CANCELLED;
		c->owed = rec->client == steer_client_mix(c->t.secret, &c->in->src);
	}
	steer_answer(c, 200, NULL, NULL, DP_REASON_N, "a CANCEL of an INVITE in flight");
	return false;
}

bool steer_flight_request(struct steer_ctx *c)
{
	struct steer_record *rec = c->t.record;
	struct steer_flight *f;

	if (!c->s->store)
		return true;
	f = steer_flight_of(c->s, rec);
	if (c->m->method == SIP_METHOD_CANCEL)
		return cancel(c, f);
	if (rec->state != STEER_RECORD_ANSWERED)
		return true;
	if (c->m->method == SIP_METHOD_ACK) {
		if (f)
			acked(c->s, f);
		return absorb(c, DP_REASON_REQ_ACK_ABSORBED, "ACK for a final that was kept back");
	}
	if (f)
		steer_timer_final_again(c->s, f);
	return absorb(c, DP_REASON_REQ_ABSORBED, "it has been answered from here");
}

/* ---- Moving ---- */

bool steer_flight_move(struct steer *s, struct steer_flight *f, enum dp_rescue cause)
{
	struct steer_record *rec = steer_flight_record(s, f);
	const struct dp_pair *pair = pair_of(s, f->member);
	const struct dp_member *next;
	struct steer_context *x;
	struct steer_way way;

	if (!rec || !pair || rec->state != STEER_RECORD_OPEN || !has_room(s, rec, f))
		return false;
	next = steer_next_member(pair, steer_word(s, (uint16_t)(f->member / DP_PAIR_MEMBERS)),
				 f->method, f->flags & STEER_FLIGHT_IN_DIALOG,
				 (uint16_t)(rec->tried | slot_bit(f->member)),
				 cause == DP_RESCUE_DOWN);
	if (!next)
		return false;
	way = (struct steer_way){ steer_member_number(s->cfg, pair, next), rec->listener,
				  (uint8_t)(rec->attempt + 1) };
	if (!steer_replay_request(s, f, &way))
		return false;
	x = steer_fork_begin(s, f);
	way.listener = steer_replay_listener(s);
	if (rec->flags & STEER_RECORD_TRIAL)
		steer_trial_end(s, rec, 0);
	steer_flight_rescued(s, rec, f->member, way.member, cause);
	if (x)
		steer_fork_add(s, f, x, &way, true);
	rec->member = way.member;
	rec->listener = way.listener;
	rec->attempt = way.attempt;
	use_branch(s, f, &way);
	branch_begins(s, rec);
	steer_replay_send(s);
	steer_timer_set(s, f);
	return true;
}

/* ---- Responses ---- */

void steer_flight_linger(struct steer *s, struct steer_flight *f)
{
	f->flags |= STEER_FLIGHT_DONE;
	f->until_us = s->now_us + STEER_T1_64_US;
	steer_records_hold(s->records, f->record, s->now_us, STEER_T1_64_US + STEER_HOLD_SLACK_US);
	steer_timer_set(s, f);
}

void steer_flight_done(struct steer *s, struct steer_flight *f)
{
	struct steer_context *x = steer_store_context_of(s->store, f);

	if (x && x->n >= 2) {
		steer_flight_linger(s, f);
		return;
	}
	f->record->flight = STEER_NONE; /* it was found by its record */
	steer_store_remove(s->store, steer_store_number(s->store, f));
}

/* 503, or 500 to a REGISTER: on to the next member, ACKed, and kept back. */
static bool rescued_from(struct steer_ctx *c, struct steer_flight *f)
{
	struct steer_try was = { .member = f->member,
				 .listener = f->listener,
				 .attempt = f->attempt };
	struct steer_context *x;

	if (!steer_flight_move(c->s, f, DP_RESCUE_CODE))
		return false;
	if (f->method == SIP_METHOD_INVITE && steer_replay_ack(c->s, f, &was, c->m))
		c->s->p.counters->own_acks++;
	x = steer_store_context_of(c->s->store, f);
	if (x) { /* this was its one branch */
		x->t[0].final = c->m->status;
		x->t[0].flags |= STEER_BRANCH_HEARD;
		steer_fork_keep(c->s, x, &x->t[0], c->m->status, c->in->buf, c->m->len);
	}
	return true;
}

/* From a branch that was given up, without a context: of its finals only a 2xx passes. */
static bool late(struct steer_ctx *c, struct steer_resp *r, struct steer_flight *f)
{
	struct steer_record *rec = r->record;

	if (c->m->status / 100 != 2
	    || (rec->method != SIP_METHOD_INVITE && rec->state != STEER_RECORD_OPEN))
		return absorb(c, DP_REASON_RESP_ABSORBED, "a branch that was given up");
	if (rec->method == SIP_METHOD_INVITE) {
		rec->state = STEER_RECORD_OPEN; /* for the caller, who writes it down */
	} else if (r->member != STEER_NO_MEMBER) {
		rec->member = r->member;
		rec->attempt = r->branch.attempt;
	}
	if (f)
		steer_flight_done(c->s, f);
	return true;
}

/* A response to a request that has one branch, or that moved without a context. */
static bool single(struct steer_ctx *c, struct steer_resp *r, struct steer_flight *f)
{
	struct steer_record *rec = r->record;
	uint16_t status = c->m->status;
	bool invite = rec->method == SIP_METHOD_INVITE;

	if (r->branch.attempt != rec->attempt)
		return late(c, r, f);
	if (rec->state == STEER_RECORD_ANSWERED && !(invite && status / 100 == 2))
		return absorb(c, DP_REASON_RESP_ABSORBED, "its client has been answered from here");
	if (rec->state == STEER_RECORD_FINAL && status / 100 != 2 && r->slot != rec->final_by)
		return absorb(c, DP_REASON_RESP_ABSORBED, "its twin has answered");
	if (rec->state == STEER_RECORD_ACCEPTED && status / 100 != 2)
		return absorb(c, DP_REASON_RESP_ABSORBED, "its INVITE has been accepted");
	if (!f)
		return true;
	if (status < 200) {
		f->flags |= STEER_FLIGHT_TOLD;
		if (invite)
			f->until_us = c->s->now_us + STEER_TIMER_C_US;
		steer_timer_set(c->s, f);
		return true;
	}
	if (status >= 300 && steer_flight_refused(c->s, rec, status, r->branch.attempt)
	    && rescued_from(c, f))
		return absorb(c, DP_REASON_RESP_ABSORBED, "refused: on to the next member");
	steer_flight_done(c->s, f);
	return true;
}

bool steer_flight_response(struct steer_ctx *c, struct steer_resp *r)
{
	struct steer_record *rec = r->record;
	struct steer_context *x;
	struct steer_flight *f;

	if (!c->s->peers || rec->sends == 0)
		return true;
	if (r->branch.attempt == STEER_COPY_ATTEMPT)
		return steer_copy_response(c, r);
	if (rec->method != c->m->method) /* a CANCEL's, which was passed on */
		return true;
	steer_flight_heard(c->s, rec, r, c->m->status);
	f = c->s->store ? steer_flight_of(c->s, rec) : NULL;
	x = f ? steer_store_context_of(c->s->store, f) : NULL;
	if (rec->flags & STEER_RECORD_TRIAL && r->branch.attempt == 0 && c->m->status >= 200)
		steer_trial_end(c->s, rec, c->m->status);
	return x ? steer_fork_response(c, r, f, x) : single(c, r, f);
}
