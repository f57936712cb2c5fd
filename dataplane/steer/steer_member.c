/*
 * Which member of a pair: the active one, unless something that the request carries, and that is
 * proven ours, names another: its next hop, the challenge that it answers, the cookie of its
 * dialog. A member that is down is never chosen while the pair has an active one.
 *
 * The pair's word is loaded once per message.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

const struct dp_member *steer_active(const struct dp_pair *p, uint64_t word)
{
	const struct dp_member *m = dp_pair_member(p, dp_word_active(word));

	if (!(word & DP_WORD_VALID))
		return NULL;
	return m->valid ? m : NULL;
}

/* The member that challenged this call (RFC 3261 22: the credentials answer its nonce). */
static __attribute__((noinline)) const struct dp_member *find_challenger(const struct steer_ctx *c,
									 const struct dp_pair *pair)
{
	struct steer_part id = { sip_at(c->m, c->m->call_id), c->m->call_id.len };
	const struct steer_record *r;
	const struct dp_member *m;
	uint64_t key;

	key = steer_digest1(&c->cfg->secrets[0], STEER_DOMAIN_CALL, 0, id);
	r = steer_records_find(c->s->challenges, key ? key : 1, c->s->now_us);
	if (!r || r->member / DP_PAIR_MEMBERS != dp_cfg_pair_number(c->cfg, pair))
		return NULL;
	m = dp_pair_member(pair, r->member % DP_PAIR_MEMBERS);
	return m->valid ? m : NULL;
}

static inline bool may_answer_challenge(const struct steer_ctx *c)
{
	const uint64_t credentials =
		1ull << SIP_HDR_AUTHORIZATION | 1ull << SIP_HDR_PROXY_AUTHORIZATION;

	return c->m->present & credentials && c->s->challenges;
}

static inline bool is_down(uint64_t word, const struct dp_member *m)
{
	return dp_word_down(word, m->slot);
}

const struct dp_member *steer_twin_if_down(const struct steer_ctx *c, const struct dp_pair *p,
					   const struct dp_member *m)
{
	uint64_t word = steer_word(c->s, dp_cfg_pair_number(c->cfg, p));
	const struct dp_member *active;

	if (!is_down(word, m))
		return m;
	active = steer_active(p, word);
	return active ? active : m;
}

static __attribute__((noinline, cold)) bool no_way(struct steer_ctx *c, const struct dp_member *m)
{
	if (m->at.port == 0 || dp_ip_is_unanswerable(&m->at.ip))
		steer_answer_503(c, c->service->map_503, "the member has no address yet");
	else
		steer_answer(c, 500, "No Local Address Of The Server's Family", NULL,
			     DP_REASON_REQ_UNROUTABLE,
			     "no listener of the member's address family");
	return false;
}

/* pair: its number. */
static inline bool hop_to_member(struct steer_ctx *c, struct steer_hop *hop,
				 const struct dp_pair *p, uint32_t pair, const struct dp_member *m)
{
	bool has_address = m->at.port != 0 && !dp_ip_is_unanswerable(&m->at.ip);
	const struct dp_listener *from = steer_member_listener(c, p, &m->at.ip);

	hop->to = &m->at;
	hop->number = pair * DP_PAIR_MEMBERS + m->slot;
	hop->from = from;
	return __builtin_expect(from && has_address, 1) ? true : no_way(c, m);
}

bool steer_hop_to_member(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 const struct dp_member *m)
{
	return hop_to_member(c, hop, pair, dp_cfg_pair_number(c->cfg, pair), m);
}

const struct dp_member *steer_next_member(const struct dp_pair *pair, uint64_t word, uint8_t method,
					  bool in_dialog, uint16_t tried, bool again)
{
	const struct dp_member *m, *active = steer_active(pair, word), *second = NULL;

	for (unsigned int i = 0; i <= pair->n_members; i++) {
		m = i == 0 ? active : dp_pair_member(pair, pair->order[i - 1]);
		if (!m || !m->valid || is_down(word, m) || m->at.port == 0
		    || (!in_dialog
			&& (dp_word_draining(word, m->slot) || !(m->methods >> method & 1))))
			continue;
		if (!(tried >> m->slot & 1))
			return m;
		if (!second)
			second = m;
	}
	return again ? second : NULL;
}

/* What follows a record leaves from where its request left: our Via is to be the same. */
static void keep_listener(const struct steer_ctx *c, struct steer_hop *hop)
{
	uint32_t key = c->way ? c->way->listener : c->t.record->listener;
	const struct dp_listener *l;

	if (hop->from->key == key)
		return;
	l = dp_cfg_listener_by_key(c->cfg, key);
	if (l && dp_ip_is_v4(&l->at.ip) == dp_ip_is_v4(&hop->to->ip))
		hop->from = l;
}

/* The member has died. An ACK is for it alone; so is what we send again ourselves, unless its twin
 * knows the transaction. */
static const struct dp_member *twin_of_dead(struct steer_ctx *c, const struct dp_pair *pair,
					    const struct dp_member *m, uint64_t word)
{
	const struct dp_member *active = steer_active(pair, word);

	if (!is_down(word, m) || !active || c->m->method == SIP_METHOD_ACK
	    || c->t.record->flags & STEER_RECORD_TRIAL
	    || (c->way && !(pair->flags & DP_PAIR_SHARES_TRANSACTIONS)))
		return m;
	if (active != m)
		c->v->why = "the member of its transaction is down: the active one";
	return active;
}

/* A request whose member has already been chosen: CANCEL, the ACK of a non-2xx and
 * retransmissions follow it. */
static const struct dp_member *recorded(struct steer_ctx *c, struct steer_hop *hop,
					const struct dp_pair *pair, uint64_t word)
{
	struct steer_record *r = c->t.record;
	const struct dp_member *m, *next;
	struct steer_way way;

	way = c->way ? *c->way : (struct steer_way){ r->member, r->listener, r->attempt };
	if (way.member == STEER_NO_MEMBER
	    || way.member / DP_PAIR_MEMBERS != dp_cfg_pair_number(c->cfg, pair))
		return NULL;
	m = dp_pair_member(pair, way.member % DP_PAIR_MEMBERS);
	if (!m->valid)
		return NULL;
	hop->member = m;
	hop->attempt = way.attempt;
	c->v->why = "the record of its transaction";
	next = c->way ? NULL : steer_flight_resend(c, pair, m, word);
	if (next) {
		hop->member = next;
		hop->attempt++;
		return next;
	}
	return twin_of_dead(c, pair, m, word);
}

/* Whether a member may be given this request other than as the active one. */
static bool may_have(const struct steer_ctx *c, uint64_t word, const struct dp_member *m)
{
	if (is_down(word, m))
		return false;
	if (c->in_dialog)
		return !c->service->in_dialog_active;
	return !dp_word_draining(word, m->slot);
}

static __attribute__((noinline)) const struct dp_member *
trial(struct steer_ctx *c, const struct dp_pair *pair, uint64_t word)
{
	return steer_trial(c, pair, word);
}

static inline const struct dp_member *choose(struct steer_ctx *c, const struct dp_pair *pair,
					     const struct dp_member *named, uint64_t word)
{
	const struct dp_member *m = may_answer_challenge(c) ? find_challenger(c, pair) : NULL;

	if (m && !is_down(word, m)) {
		c->v->why = "the member that challenged this call";
		return m;
	}
	if (named && may_have(c, word, named)) {
		c->v->why = "its next hop names the member";
		return named;
	}
	m = c->routes.pair == pair ? c->routes.member : NULL;
	if (!named && m && may_have(c, word, m)) {
		c->v->why = "the cookie of its dialog";
		return m;
	}
	if (!named && !m && word & DP_WORD_TRIAL) {
		m = trial(c, pair, word);
		if (m)
			return m;
	}
	c->v->why = named || m ? "the named member is not to be used: the active one"
			       : "the active member";
	return steer_active(pair, word);
}

/* A fallback may be limited to some methods; what belongs to a dialog or transaction that it has is
 * its own. */
static inline bool may_serve(const struct steer_ctx *c, const struct dp_member *m)
{
	return m->methods >> c->m->method & 1 || c->in_dialog || c->m->method == SIP_METHOD_ACK
	       || c->m->method == SIP_METHOD_CANCEL;
}

/* false: it follows no record. *on: whether it goes on. */
static __attribute__((noinline)) bool follow_record(struct steer_ctx *c, struct steer_hop *hop,
						    const struct dp_pair *pair, uint64_t word,
						    bool *on)
{
	const struct dp_member *m = recorded(c, hop, pair, word);

	if (!m)
		return false;
	*on = hop_to_member(c, hop, pair, dp_cfg_pair_number(c->cfg, pair), m);
	if (*on)
		keep_listener(c, hop);
	return true;
}

static __attribute__((noinline, cold)) bool out_of_service(struct steer_ctx *c)
{
	steer_answer_503(c, c->service->map_503, "the pair is out of service");
	return false;
}

static __attribute__((noinline, cold)) bool nobody(struct steer_ctx *c, const struct dp_member *m)
{
	steer_answer_503(c, c->service->map_503,
			 m ? "the active member does not serve this method"
			   : "the pair has no active member");
	return false;
}

bool steer_choose_member(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 const struct dp_member *named)
{
	uint16_t number = dp_cfg_pair_number(c->cfg, pair);
	uint64_t word = steer_word(c->s, number);
	const struct dp_member *m;
	bool on;

	hop->pair = pair;
	if (c->t.record && follow_record(c, hop, pair, word, &on))
		return on;
	if (c->way) /* its member is gone from the configuration */
		return false;
	/* In-dialog requests, ACK and CANCEL are never answered from here while a member may still
	 * get them. */
	if ((word & DP_WORD_OUT_OF_SERVICE) && !c->in_dialog && c->m->method != SIP_METHOD_ACK
	    && c->m->method != SIP_METHOD_CANCEL)
		return out_of_service(c);
	m = choose(c, pair, named, word);
	if (!m || !may_serve(c, m))
		return nobody(c, m);
	hop->member = m;
	return hop_to_member(c, hop, pair, number, m);
}

/* The usual way of steer_choose_member(): nothing but the active member comes into question. */
bool steer_choose_active(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 uint32_t number)
{
	uint64_t word = steer_word(c->s, (uint16_t)number);
	const struct dp_member *m = dp_pair_member(pair, dp_word_active(word));

	if (__builtin_expect((word & (DP_WORD_VALID | DP_WORD_OUT_OF_SERVICE | DP_WORD_TRIAL))
					     != DP_WORD_VALID
				     || may_answer_challenge(c) || !m->valid
				     || !(m->methods >> c->m->method & 1),
			     0)) {
		steer_hop_init(hop);
		return steer_choose_member(c, hop, pair, NULL);
	}
	c->v->why = "the active member";
	hop->pair = pair;
	hop->member = m;
	hop->flow = NULL;
	hop->attempt = 0;
	return hop_to_member(c, hop, pair, number, m);
}
