/*
 * Responses: our Via proves them, and is popped; the Via below says where to (RFC 3261 16.7, 16.11,
 * 18.1.2, 18.2.2; RFC 3581 4). On the way they keep the records: state of the transaction, who
 * challenged; and they tell control which members live and which fail.
 *
 * The proof is the branch's tag, computed anew over the transaction that the Via below names. As
 * `received` and `rport` are not part of it, and a client that a request was carried to knows the
 * Vias below ours, two more rules keep it from having us send elsewhere: what goes to a member must
 * go to an address of one, and what comes from an address that is no member's must go to the client
 * on record.
 */
#include "dataplane/steer/steer_flight.h"
#include "dataplane/steer/steer_ipv4.h"
#include "dataplane/steer/steer_owner.h"
#include "dataplane/steer/steer_plain.h"

#include <errno.h>
#include <string.h>

/* The number in rport: 0 where there is none, -1 where it is no port. */
static int32_t rport_of(const struct steer_ctx *c, const struct sip_via *via)
{
	const uint8_t *p = sip_at(c->m, via->rport);
	uint32_t port = 0;

	if (via->rport.len == 0)
		return 0;
	if (via->rport.len <= 5 && via->rport.off + 8u <= c->m->len)
		return steer_plain_port(p, via->rport.len);
	for (uint32_t i = 0; i < via->rport.len; i++) {
		uint8_t digit = (uint8_t)(p[i] - '0');

		port = port * 10 + digit;
		if (digit > 9 || port > UINT16_MAX)
			return -1;
	}
	return (int32_t)port;
}

int steer_via_target(const struct steer_ctx *c, const struct sip_via *via, bool maddr,
		     struct dp_endpoint *to)
{
	uint16_t port = via->port ? via->port : STEER_SIP_PORT;
	struct sip_span host = via->host;
	int32_t rport;

	if (maddr && via->maddr.len) {
		host = via->maddr;
	} else if (via->has_received) {
		host = via->received;
		rport = rport_of(c, via);
		if (rport < 0)
			return -EINVAL;
		if (rport)
			port = (uint16_t)rport;
	}
	*to = (struct dp_endpoint){ .port = port, .transport = DP_UDP };
	return steer_msg_ip(c->m, host, &to->ip);
}

/* Our Via on top, in form (16.7 item 3). */
static bool read_own_via(struct steer_ctx *c, struct steer_resp *r)
{
	const struct sip_via *via = &c->m->via;

	if (!steer_own_listener(c, via->host, via->port)
	    || steer_branch_read(sip_at(c->m, via->branch), via->branch.len, &r->branch) < 0) {
		steer_drop(c, DP_REASON_RESP_VIA_FOREIGN, "the top Via is not ours");
		return false;
	}
	return true;
}

static bool has_next_via(const struct steer_ctx *c)
{
	struct sip_via_iter it;
	struct sip_via via;

	steer_lower_vias(&it, c->m);
	return sip_via_iter_next(&it, &via) > 0;
}

/* As in most: alone on the line below ours. */
bool steer_next_via_plain(const struct sip_msg *m, struct sip_via *via)
{
	const struct sip_hdr *h = &m->hdr[m->first[SIP_HDR_VIA]];

	return m->via.value.off + m->via.value.len == h->value_off + h->value_len
	       && h + 1 < m->hdr + m->n_hdrs && h[1].id == SIP_HDR_VIA
	       && sip_via_plain(m, h + 1, via);
}

static bool read_next_via(struct steer_ctx *c, struct steer_resp *r)
{
	const struct steer_ahead *ahead = c->in->ahead;
	const struct sip_msg *m = c->m;
	struct sip_via_iter it;
	int n;

	if (ahead && ahead->has_next) {
		r->next = &ahead->next;
		return true;
	}
	r->next = &r->below;
	if (steer_next_via_plain(m, &r->below))
		return true;
	steer_lower_vias(&it, m);
	n = sip_via_iter_next(&it, &r->below);
	if (n > 0)
		return true;
	steer_drop(c, n < 0 ? DP_REASON_SIP_MALFORMED : DP_REASON_RESP_NO_NEXT_VIA,
		   n < 0 ? "the Via below ours is malformed" : "no Via below ours");
	return false;
}

static bool check_tag(struct steer_ctx *c, struct steer_resp *r)
{
	const struct steer_ahead *ahead = c->in->ahead;

	for (uint32_t i = 0; i < c->cfg->n_secrets; i++) {
		r->secret = &c->cfg->secrets[i];
		r->mac = i == 0 && ahead && ahead->has_next
				 ? ahead->mac
				 : steer_transaction_mac(r->secret, c->m, r->next);
		if (steer_branch_tag(r->secret, &r->branch, r->mac) == r->branch.tag)
			return true;
	}
	steer_drop(c, DP_REASON_RESP_VIA_FORGED, "the tag in our Via is wrong");
	return false;
}

/* A pair's member by number, when the key of its name is the branch's. */
static bool is_branch_member(const struct steer_ctx *c, const struct steer_resp *r, uint32_t number)
{
	const struct dp_pair *p = dp_cfg_pair(c->cfg, number / DP_PAIR_MEMBERS);
	const struct dp_member *m = p ? dp_pair_member(p, number % DP_PAIR_MEMBERS) : NULL;

	return m && m->valid && m->key == r->branch.member;
}

/* Who answered an inward request: by the source, else by the record. */
static bool find_member(struct steer_ctx *c, struct steer_resp *r)
{
	const struct steer_in *in = c->in;
	const struct dp_source *src =
		dp_cfg_source_likely(c->cfg, &in->src.ip, in->src.port, r->source_hash);
	uint32_t number;

	r->slot = src ? src->slot : UINT8_MAX;
	number = src && src->slot < DP_PAIR_MEMBERS
			 ? (uint32_t)src->pair * DP_PAIR_MEMBERS + src->slot
			 : STEER_NO_MEMBER;
	if (number == STEER_NO_MEMBER || !is_branch_member(c, r, number)) {
		number = r->record ? r->record->member : STEER_NO_MEMBER;
		if (number != STEER_NO_MEMBER && !is_branch_member(c, r, number))
			number = STEER_NO_MEMBER;
	}
	r->member = number;
	if (src)
		return true;
	/* Not from a member's address: a member with several, or the client at the other end. */
	if (r->record ? r->record->client == steer_client_mix(r->secret, &r->to)
		      : r->branch.member == 0)
		return true;
	steer_drop(c, DP_REASON_RESP_SOURCE,
		   "from no member's address, and not for the client on record");
	return false;
}

static const struct dp_listener *listener_for(const struct steer_ctx *c, const struct steer_resp *r)
{
	const struct dp_listener *l = c->in->listener;

	if (l->key != r->branch.listener)
		l = dp_cfg_listener_by_key(c->cfg, r->branch.listener);
	if (!l || dp_ip_is_v4(&l->at.ip) != dp_ip_is_v4(&r->to.ip))
		l = steer_default_listener(c, &r->to.ip);
	return l;
}

/* A response to a member: to an address of one, or to its twin when it is down. */
static bool to_member(struct steer_ctx *c, struct steer_resp *r)
{
	const struct dp_source *src = dp_cfg_source(c->cfg, &r->to.ip, r->to.port);
	const struct dp_pair *pair = src ? dp_cfg_pair(c->cfg, src->pair) : NULL;
	const struct dp_member *m, *twin;

	if (!pair) {
		steer_drop(c, DP_REASON_RESP_UNROUTABLE, "the next Via names no member");
		return false;
	}
	m = src->slot < DP_PAIR_MEMBERS ? dp_pair_member(pair, src->slot)
					: dp_pair_member_by_key(pair, r->branch.member);
	r->from = listener_for(c, r);
	if (!m || !m->valid)
		return true;
	r->member = steer_member_number(c->cfg, pair, m);
	twin = steer_twin_if_down(c, pair, m);
	if (twin != m) {
		r->member = steer_member_number(c->cfg, pair, twin);
		r->to = twin->at;
		r->from = steer_member_listener(c, pair, &twin->at.ip);
		c->v->why = "the next Via names a member that is down: its twin";
	}
	return true;
}

/* Where the Via below ours leads. */
static int next_target(const struct steer_ctx *c, struct steer_resp *r)
{
	const struct steer_ahead *ahead = c->in->ahead;

	if (!ahead || ahead->to.port == 0)
		return steer_via_target(c, r->next, c->service->trust_maddr, &r->to);
	r->to = ahead->to;
	return 0;
}

static bool find_target(struct steer_ctx *c, struct steer_resp *r)
{
	if (next_target(c, r) < 0 || dp_ip_is_unanswerable(&r->to.ip) || r->to.port == 0
	    || (dp_cfg_may_listen_at(c->cfg, &r->to) && dp_cfg_listener_at(c->cfg, &r->to))) {
		steer_drop(c, DP_REASON_RESP_UNROUTABLE,
			   "the next Via names no address that can be sent to");
		return false;
	}
	c->v->why = "the next Via";
	if (r->branch.outward) {
		if (!to_member(c, r))
			return false;
	} else {
		if (!find_member(c, r))
			return false;
		r->from = listener_for(c, r);
	}
	if (r->from)
		return true;
	steer_drop(c, DP_REASON_RESP_UNROUTABLE, "no listener of the next Via's family");
	return false;
}

/* ---- What is learned from it ---- */

static void keep_challenge(struct steer_ctx *c, const struct steer_resp *r)
{
	struct steer_part id = { sip_at(c->m, c->m->call_id), c->m->call_id.len };
	struct dp_worker_counters *n = c->s->p.counters;
	struct steer_record *rec;
	uint64_t key;

	if (!c->s->challenges)
		return;
	key = steer_digest1(&c->cfg->secrets[0], STEER_DOMAIN_CALL, 0, id);
	rec = steer_records_insert(c->s->challenges, key ? key : 1, c->s->now_us,
				   STEER_CHALLENGE_US);
	if (!rec) {
		n->challenges_full++;
		return;
	}
	rec->member = r->member;
	steer_records_hold(c->s->challenges, rec, c->s->now_us, STEER_CHALLENGE_US);
	n->challenges_made++;
}

/* The record's life: open until a final response, then for as long as its request may come again
 * (64*T1). A provisional to an INVITE starts Timer C anew (16.7 item 2). */
static void keep_record(struct steer_ctx *c, const struct steer_resp *r)
{
	uint64_t hold_us = (uint64_t)c->s->p.record_hold_ms * 1000;
	struct steer_record *rec = r->record;
	uint16_t status = c->m->status;
	bool in_flight = rec->flight != STEER_NONE;

	if (rec->method != c->m->method) /* a response to the CANCEL of it */
		return;
	if (status < 200) {
		if (status > 100)
			rec->flags |= STEER_RECORD_PROVISIONAL;
		if (rec->method == SIP_METHOD_INVITE && rec->state == STEER_RECORD_OPEN)
			steer_records_hold(c->s->records, rec, c->s->now_us,
					   in_flight ? STEER_HOLD_MAX_US : STEER_TIMER_C_US);
		return;
	}
	if (in_flight && hold_us < STEER_T1_64_US + STEER_HOLD_SLACK_US)
		hold_us = STEER_T1_64_US + STEER_HOLD_SLACK_US;
	if (rec->state != STEER_RECORD_OPEN)
		return;
	rec->final_by = r->slot;
	rec->state = rec->method == SIP_METHOD_INVITE && status < 300 ? STEER_RECORD_ACCEPTED
								      : STEER_RECORD_FINAL;
	steer_records_hold(c->s->records, rec, c->s->now_us, hold_us);
}

/* A 500 to what was sent to another member before is held against nobody: the request may have got
 * there through that one (RFC 3261 10.3 item 7). */
static bool is_suspicious(const struct sip_msg *m, const struct steer_resp *r)
{
	if (m->method == SIP_METHOD_REGISTER)
		return m->status == 503 || (m->status == 500 && r->branch.attempt == 0);
	return m->method == SIP_METHOD_INVITE && m->status == 503;
}

static void learn(struct steer_ctx *c, const struct steer_resp *r)
{
	const struct sip_msg *m = c->m;
	uint32_t slot = r->member % DP_PAIR_MEMBERS;
	uint64_t word;

	if (r->member == STEER_NO_MEMBER)
		return;
	if (c->s->peers)
		c->s->peers[r->member].answered_us = c->s->now_us;
	word = steer_word(c->s, (uint16_t)(r->member / DP_PAIR_MEMBERS));
	if (c->s->p.members)
		++*DP_MEMBER_COUNTER(c->s->p.members, r->member, responses[m->status / 100 - 1]);
	if (m->status == 401 || m->status == 407)
		keep_challenge(c, r);
	if (is_suspicious(m, r))
		steer_event(c->s, DP_EVENT_RESPONSE_5XX, r->member,
			    (uint32_t)m->status << 8 | m->method, 0);
	else if (dp_word_down(word, slot) || dp_word_suspect(word, slot))
		steer_event(c->s, DP_EVENT_ALIVE, r->member, m->status, 0);
}

/* ---- On its way ---- */

/* One pair's 503 would have an upstream leave all pairs of the service alone (16.7 item 6). */
static int map_503(struct steer_ctx *c, const struct steer_resp *r)
{
	static const char line[] = "500 Server Internal Error";
	const struct dp_service *s = dp_cfg_service(c->cfg, r->from->service);
	const uint8_t *sp;
	uint32_t start, end;

	if (c->m->status != 503 || r->branch.outward || !s || s->map_503 == 503)
		return 0;
	/* The status code stands behind the first space; with the reason phrase, when there is one,
	 * it ends the line. */
	sp = memchr(c->m->buf, ' ', c->m->hdrs_off);
	start = (uint32_t)(sp - c->m->buf) + 1;
	end = c->m->reason.len ? (uint32_t)c->m->reason.off + c->m->reason.len : start + 3;
	return sip_edits_add(&c->v->edits, (uint16_t)start, (uint16_t)(end - start), line,
			     sizeof(line) - 1);
}

/* A response to a CANCEL of our own: of one that is begun here, absorbed; from a member, and with
 * no Via but ours to prove it by, for the worker that began it. */
static bool is_of_own_cancel(struct steer_ctx *c, const struct steer_resp *r)
{
	if (steer_fork_is_cancelled(c, &r->branch)) {
		steer_drop(c, DP_REASON_RESP_ABSORBED, "to a CANCEL of our own");
		c->s->p.counters->absorbed_responses++;
		return true;
	}
	if (!steer_owner_is_other(r->branch.owner, c->s->p.worker, c->s->p.n_workers)
	    || !dp_cfg_source(c->cfg, &c->in->src.ip, c->in->src.port) || has_next_via(c))
		return false;
	steer_hand_over(c, r->branch.owner, "to a CANCEL of another worker's");
	return true;
}

void steer_response(struct steer_ctx *c, uint32_t hash)
{
	struct steer_resp r;
	int e;

	steer_zero(&r, STEER_RESP_ZEROED);
	r.member = STEER_NO_MEMBER;
	r.source_hash = hash;
	if (!read_own_via(c, &r))
		return;
	if (c->m->method == SIP_METHOD_CANCEL && is_of_own_cancel(c, &r))
		return;
	if (!read_next_via(c, &r) || !check_tag(c, &r))
		return;
	/* Once it is proven, so that nobody loads a worker of his choice with forgeries. */
	if (steer_owner_is_other(r.branch.owner, c->s->p.worker, c->s->p.n_workers)) {
		steer_hand_over(c, r.branch.owner, "our branch names another worker");
		return;
	}
	/* The record of a branch that another worker owns is there. */
	if (c->s->records && !r.branch.outward
	    && (r.branch.owner == c->s->p.worker || r.branch.owner == STEER_NO_OWNER))
		r.record = steer_records_find(c->s->records, r.mac, c->s->now_us);
	if (r.record && c->s->store)
		steer_store_fetch_flight(c->s->store, r.record->flight);
	if (!find_target(c, &r))
		return;
	if (!r.branch.outward && !c->way) {
		learn(c, &r);
		if (r.record && !steer_flight_response(c, &r)) {
			c->s->p.counters->absorbed_responses++;
			return;
		}
		if (r.record)
			keep_record(c, &r);
	}
	e = steer_trim_edit(c);
	if (e == 0)
		e = sip_edit_pop_via(&c->v->edits, c->m);
	if (e == 0)
		e = map_503(c, &r);
	if (e < 0) {
		steer_drop(c, DP_REASON_NO_ROOM, "its edits do not fit");
		return;
	}
	steer_forward(c, r.from, &r.to, r.member);
}
