/*
 * One worker's steering: its state, and the dispatch of a datagram to what handles it.
 *
 * Owned by one thread. Nothing here or below allocates, blocks or logs after steer_new(). Whatever
 * comes in, the verdict is complete when steer_message() returns, and a drop has been counted.
 */
#include "dataplane/steer/steer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/steer/steer_flight.h"

/* Of all members that there can be; pages come into being when touched. */
#define PEERS_SIZE (DP_MAX_MEMBERS * sizeof(struct steer_peer))

#define TICK_BUDGET 2048 /* records that one tick removes at most: 0.1 ms */

/* What requests in flight need. Without records or a way to send there are none. */
static bool init_flights(struct steer *s)
{
	if (!s->records || !s->p.send)
		return true;
	s->peers = mmap(NULL, PEERS_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->peers == MAP_FAILED) {
		s->peers = NULL;
		return false;
	}
	if (s->p.word_downs)
		s->scan.downs = atomic_load_explicit(s->p.word_downs, memory_order_relaxed);
	if (s->p.store_size) {
		s->store = steer_store_new(s->p.store_size);
		s->replay = steer_replay_new();
		if (!s->store || !s->replay)
			return false;
		s->p.counters->store_size = steer_store_use(s->store).size;
	}
	return true;
}

struct steer *steer_new(const struct steer_params *p)
{
	uint64_t hold_us = (uint64_t)p->record_hold_ms * 1000;
	struct steer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->p = *p;
	s->random = p->seed;
	s->last = &s->msg;
	s->limits = steer_limits_new(p->n_limits ? p->n_limits : 1);
	s->requests = steer_limits_new(p->n_limits ? p->n_limits : 1);
	if (p->n_records)
		s->records = steer_records_new_looking(
			p->n_records, hold_us > STEER_HOLD_MAX_US ? hold_us : STEER_HOLD_MAX_US,
			hold_us);
	if (p->n_challenges)
		s->challenges = steer_records_new(p->n_challenges, STEER_CHALLENGE_US);
	if (!s->limits || !s->requests || (p->n_records && !s->records)
	    || (p->n_challenges && !s->challenges) || !init_flights(s)) {
		steer_free(s);
		return NULL;
	}
	return s;
}

void steer_free(struct steer *s)
{
	if (!s)
		return;
	steer_records_free(s->records);
	steer_records_free(s->challenges);
	steer_limits_free(s->limits);
	steer_limits_free(s->requests);
	steer_store_free(s->store);
	steer_replay_free(s->replay);
	if (s->peers)
		munmap(s->peers, PEERS_SIZE);
	free(s);
}

void steer_begin(struct steer *s, const struct dp_cfg *cfg, uint64_t now_us)
{
	s->cfg = cfg;
	s->now_us = now_us;
}

static void count_use(struct steer *s)
{
	struct steer_store_use use = steer_store_use(s->store);

	s->p.counters->store_used = use.used;
	s->p.counters->copies_in_use = use.flights;
	s->p.counters->contexts_in_use = use.contexts;
}

void steer_tick(struct steer *s, uint64_t now_us)
{
	s->now_us = now_us;
	if (s->store && s->cfg) {
		steer_scan_run(s);
		steer_timer_run(s);
		count_use(s);
	}
	if (s->records) {
		steer_records_tick(s->records, now_us, TICK_BUDGET);
		s->p.counters->records_in_use = steer_records_in_use(s->records);
	}
	if (s->challenges)
		steer_records_tick(s->challenges, now_us, TICK_BUDGET);
}

const struct sip_msg *steer_last_message(const struct steer *s)
{
	return s->last;
}

void steer_drop(struct steer_ctx *c, enum dp_reason reason, const char *why)
{
	c->v->action = STEER_DROP;
	c->v->reason = (uint8_t)reason;
	c->v->why = why;
	if (!c->way) /* a copy is no datagram that came in */
		c->s->p.counters->reason[reason]++;
}

void steer_event(struct steer *s, enum dp_event_type type, uint32_t member, uint32_t value,
		 uint64_t id)
{
	struct dp_event ev = {
		.time_ns = s->now_us * 1000,
		.type = type,
		.member = member,
		.value = value,
		.id = id,
	};

	if (!s->p.events || (s->peers && !steer_peer_tell(&s->peers[member], type, s->now_us)))
		return;
	dp_event_put(s->p.events, &ev);
	s->p.counters->events++;
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016). */
uint32_t steer_random(struct steer *s, uint32_t n)
{
	uint64_t x = s->random ? s->random : 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	s->random = x;
	return (uint32_t)(((x * 0x2545f4914f6cdd1dull >> 32) * n) >> 32);
}

char *steer_text(struct steer_verdict *v, size_t n)
{
	char *p = v->text + v->text_len;

	if (n > (size_t)STEER_TEXT_SIZE - v->text_len)
		return NULL;
	v->text_len = (uint16_t)(v->text_len + n);
	return p;
}

void steer_verdict_init(struct steer_verdict *v)
{
	v->action = STEER_DROP;
	v->reason = DP_REASON_N;
	v->status = 0;
	v->member = STEER_NO_MEMBER;
	v->why = "";
	v->from = NULL;
	v->text_len = 0;
	v->answer_len = 0;
	sip_edits_init(&v->edits);
}

/* Line ends alone are keep-alives (RFC 5626 4.4.1, 3.5.1), as are the one to four NULs that some
 * phones send. */
static inline bool is_keepalive(const uint8_t *p, uint32_t len)
{
	bool small = len <= 4;

	if (len > 0 && p[0] > '\r')
		return false;

	for (uint32_t i = 0; i < len; i++)
		if (p[i] != '\r' && p[i] != '\n' && !(small && p[i] == '\0'))
			return false;
	return true;
}

static bool only_members(const struct dp_listener *l)
{
	return (l->flags & (DP_LISTENER_CLIENT | DP_LISTENER_EGRESS)) == DP_LISTENER_EGRESS;
}

/**
 * The member or pair that a datagram comes from. A pair's address is a member's to the services
 * that the pair serves and at its egress address; to another service it is a client's, so that the
 * servers of one service can be clients of the next.
 */
static __attribute__((noinline)) const struct dp_source *if_member(const struct steer_ctx *c,
								   const struct dp_source *src)
{
	const struct dp_listener *l = c->in->listener;
	const struct dp_pair *pair = dp_cfg_pair(c->cfg, src->pair);
	uint16_t number;

	if (!pair)
		return NULL;
	if (only_members(l) || dp_pair_serves(pair, l->service))
		return src;
	number = dp_cfg_listener_number(c->cfg, l);
	return pair->egress4 == number || pair->egress6 == number ? src : NULL;
}

/* hash: dp_ip_hash() of the source. */
static inline const struct dp_source *find_source(const struct steer_ctx *c, uint32_t hash)
{
	const struct steer_in *in = c->in;
	const struct dp_source *src = dp_cfg_source_of(c->cfg, &in->src.ip, in->src.port, hash);

	return src ? if_member(c, src) : NULL;
}

/* Of a request to an egress address, which is for members alone. */
static __attribute__((noinline, cold)) void drop_stranger(struct steer_ctx *c)
{
	c->s->p.counters->sip_requests++;
	steer_drop(c, DP_REASON_REQ_NOT_MEMBER, "only members may send to an egress address");
}

/* A message that does not parse. */
static void malformed(struct steer_ctx *c, enum sip_result result, uint32_t hash)
{
	struct dp_worker_counters *n = c->s->p.counters;

	if (c->m->is_request) {
		c->source = find_source(c, hash);
		if (only_members(c->in->listener) && !c->source) {
			drop_stranger(c);
			return;
		}
	}
	if (result == SIP_ERR_NOT_SIP) {
		steer_drop(c, DP_REASON_SIP_NOT_SIP, "neither a request nor a status line");
	} else if (!c->m->is_request && result != SIP_ERR_TOO_LARGE) {
		steer_drop(c, DP_REASON_SIP_MALFORMED, sip_result_name(result));
		n->sip_responses++;
	} else {
		steer_answer_malformed(c, result);
		n->sip_requests++;
	}
}

/* A message that parses; hash: of its source. */
static inline void sip(struct steer_ctx *c, uint32_t hash)
{
	struct dp_worker_counters *n = c->s->p.counters;

	if (!c->m->is_request) {
		steer_response(c, hash);
		n->sip_responses += c->v->action != STEER_HAND_OVER;
		return;
	}
	c->source = find_source(c, hash);
	if (__builtin_expect(only_members(c->in->listener) && !c->source, 0)) {
		drop_stranger(c);
		return;
	}
	if (c->in->spread != STEER_SPREAD_NONE && steer_hands_on(c))
		return;
	n->sip_requests++;
	steer_request(c);
}

/* A datagram that was not looked at ahead, or does not parse: whatever it is. false: decided. */
static __attribute__((noinline)) bool look_now(struct steer_ctx *c, uint32_t *hash)
{
	const struct steer_in *in = c->in;
	const struct steer_ahead *a = in->ahead;
	enum sip_result result;

	c->m = a && a->parsed ? &a->msg : &c->s->msg;
	c->s->last = c->m;
	c->service = dp_cfg_service(c->cfg, in->listener->service);
	c->slot = NULL;
	if (is_keepalive(in->buf, in->len)) {
		steer_drop(c, DP_REASON_KEEPALIVE, "keep-alive");
		return false;
	}
	if (!c->service) {
		steer_drop(c, DP_REASON_REQ_UNROUTABLE, "listener without a service");
		return false;
	}
	*hash = dp_ip_hash(&in->src.ip);
	if ((c->service->n_allow | c->service->n_deny | c->service->requests_per_s) && !in->local
	    && !find_source(c, *hash) && !steer_guard(c))
		return false;
	if (steer_is_stun(in->buf, in->len)) {
		c->source = find_source(c, *hash);
		if (only_members(in->listener) && !c->source)
			steer_drop(c, DP_REASON_REQ_NOT_MEMBER, "STUN to an egress address");
		else
			steer_stun(c);
		return false;
	}
	result = c->m == &c->s->msg ? sip_msg_parse(&c->s->msg, in->buf, in->len) : a->result;
	if (result != SIP_OK)
		malformed(c, result, *hash);
	return result == SIP_OK;
}

void steer_message(struct steer *s, const struct steer_in *in, struct steer_verdict *v)
{
	const struct steer_ahead *a = in->ahead;
	struct steer_ctx c;
	uint32_t hash;

	steer_ctx_zero(&c);
	c.s = s;
	c.cfg = s->cfg;
	c.in = in;
	c.v = v;
	c.source = NULL;
	c.cause = DP_RESCUE_N;
	steer_verdict_init(v);
	/* What parses is no keep-alive and no STUN, and its service was seen to guard nothing. */
	if (__builtin_expect(a && a->parsed && a->result == SIP_OK, 1)) {
		s->last = c.m = &a->msg;
		c.service = a->service;
		c.slot = a->slot;
		hash = a->source_hash;
	} else if (!look_now(&c, &hash)) {
		return;
	}
	sip(&c, hash);
}
