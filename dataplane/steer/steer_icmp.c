/*
 * ICMP errors about what we sent. Anyone can send them; only one that quotes a branch whose tag
 * fits its transaction, and that names the member at the quoted destination, says something about
 * that member. Anything else is a hint to control, seldom enough to be harmless.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

#include "dataplane/steer/steer_owner.h"

#define HINT_EVERY_US 50000 /* unproven errors that control hears of */

/* RFC 3261 18.4: host, network, port or protocol unreachable; not too big, not quench. Source
 * route failed, and what policy forbids, are as they were. */
static bool counts(const struct steer_icmp *in)
{
	if (in->v6)
		return in->type == 1 && (in->code == 0 || in->code == 3 || in->code == 4);
	if (in->type != 3)
		return false;
	return in->code <= 3 || in->code == 6 || in->code == 7 || in->code == 11 || in->code == 12;
}

/* What the quoted request says. */
struct quote {
	struct steer_branch branch;
	uint64_t mac;
	uint32_t member;
	bool read; /* the top Via is ours in form */
};

/* Whether enough was quoted of a request of an RFC 2543 client, which takes more than its Via. */
static bool is_whole(const struct sip_msg *m)
{
	const unsigned int need = SIP_DECODED_FROM | SIP_DECODED_CALL_ID | SIP_DECODED_CSEQ;

	return (m->decoded & need) == need;
}

static bool prove(struct steer_ctx *c, struct quote *q)
{
	const struct sip_msg *m = c->m;
	struct sip_via_iter it;
	struct sip_via below;

	if (!m->is_request || !(m->decoded & SIP_DECODED_VIA) || !sip_msg_has(m, SIP_HDR_VIA)
	    || !steer_own_listener(c, m->via.host, m->via.port)
	    || steer_branch_read(sip_at(m, m->via.branch), m->via.branch.len, &q->branch) < 0)
		return false;
	q->read = true;
	steer_lower_vias(&it, m);
	if (sip_via_iter_next(&it, &below) <= 0)
		return false;
	if (!steer_is_rfc3261_branch(m, below.branch) && !is_whole(m))
		return false;
	for (uint32_t i = 0; i < c->cfg->n_secrets; i++) {
		const struct dp_secret *key = &c->cfg->secrets[i];

		q->mac = steer_transaction_mac(key, m, &below);
		if (steer_branch_tag(key, &q->branch, q->mac) == q->branch.tag)
			return true;
	}
	return false;
}

/* The request on the branch that did not arrive goes on to the next member. */
static void rescue(struct steer *s, const struct quote *q)
{
	struct steer_record *rec;
	struct steer_flight *f;

	if (!s->store || q->branch.owner != s->p.worker)
		return;
	rec = steer_records_find(s->records, q->mac, s->now_us);
	f = rec ? steer_flight_of(s, rec) : NULL;
	if (f && rec->attempt == q->branch.attempt
	    && !(f->flags & (STEER_FLIGHT_ANSWERED | STEER_FLIGHT_DONE))
	    && !(rec->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED)))
		steer_flight_move(s, f, DP_RESCUE_ICMP);
}

static void hint(struct steer *s, uint32_t member, uint8_t method)
{
	if (s->now_us - s->hint_us < HINT_EVERY_US)
		return;
	s->hint_us = s->now_us;
	steer_event(s, DP_EVENT_UNANSWERED, member, method, 0);
}

enum steer_icmp_proof steer_icmp(struct steer *s, const struct steer_icmp *in, uint8_t *owner)
{
	struct quote q = { 0 };
	struct steer_in quoted = { .buf = in->quote, .len = in->quote_len };
	struct steer_ctx c = { .s = s, .cfg = s->cfg, .in = &quoted, .m = &s->msg };
	const struct dp_member *m;
	uint16_t pair;
	bool proven;

	quoted.listener = s->cfg ? dp_cfg_listener_at(s->cfg, &in->from) : NULL;
	m = quoted.listener ? dp_cfg_member_at(s->cfg, &in->to, &pair) : NULL;
	if (!m)
		return STEER_ICMP_UNPROVEN;
	q.member = (uint32_t)pair * DP_PAIR_MEMBERS + m->slot;
	/* It is cut off somewhere: what stands before that is good. */
	sip_msg_parse(&s->msg, in->quote, in->quote_len);
	proven = prove(&c, &q) && q.branch.member == m->key && !q.branch.outward;
	if (!counts(in))
		return proven ? STEER_ICMP_PROVEN : STEER_ICMP_UNPROVEN;
	if (!proven) {
		hint(s, q.member, s->msg.is_request ? s->msg.method : SIP_METHOD_OTHER);
		return STEER_ICMP_UNPROVEN;
	}
	/* What is not proven stays where it came: nobody makes workers send each other mail. */
	if (steer_owner_is_other(q.branch.owner, s->p.worker, s->p.n_workers)) {
		s->p.counters->handed_others++;
		*owner = q.branch.owner;
		return STEER_ICMP_HAND_OVER;
	}
	if (s->p.members)
		++*DP_MEMBER_COUNTER(s->p.members, q.member, icmp);
	steer_event(s, DP_EVENT_ICMP, q.member, (uint32_t)in->type << 8 | in->code, q.branch.tag);
	rescue(s, &q);
	return STEER_ICMP_PROVEN;
}
