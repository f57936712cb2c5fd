/*
 * Looking ahead: a message's pair is one of thousands, and comes from far away in memory by three
 * steps, each of which says where the next one leads: the table's slot, the pair and its word, the
 * active member's counter and the way to it. Its record is one of millions, and comes by two: the
 * index, the record. So the first ones are taken while messages before it are decided. Nothing here
 * changes anything but the caller's struct steer_ahead.
 */
#include "dataplane/steer/steer_internal.h"

static bool is_guarded(const struct dp_service *s)
{
	return (s->n_allow | s->n_deny | s->requests_per_s) != 0;
}

/* The record comes by two steps, too, and what names it is needed anyway. */
static void look_transaction(const struct steer *s, const struct steer_ctx *c,
			     struct steer_ahead *a)
{
	const struct sip_via *via = &a->msg.via;

	if (a->msg.is_request) {
		if (!s->records)
			return; /* nothing is fetched by it */
	} else {
		a->has_next = steer_next_via_plain(&a->msg, &a->next);
		if (!a->has_next)
			return;
		via = &a->next;
		if (steer_via_target(c, via, c->service->trust_maddr, &a->to) < 0)
			a->to.port = 0;
	}
	a->mac = steer_transaction_mac(&s->cfg->secrets[0], &a->msg, via);
	if (s->records)
		steer_records_fetch_slot(s->records, a->mac);
}

void steer_look(const struct steer *s, const struct steer_in *in, struct steer_ahead *a)
{
	struct steer_ctx c;

	c.cfg = s->cfg;
	c.in = in;
	c.m = &a->msg;
	c.slot = NULL;
	c.service = dp_cfg_service(s->cfg, in->listener->service);
	a->slot = NULL;
	a->mac = 0;
	a->has_next = false;
	a->to.port = 0;
	a->service = c.service;
	a->parsed = c.service && !is_guarded(c.service);
	if (!a->parsed)
		return;
	a->source_hash = dp_ip_hash(&in->src.ip);
	a->result = sip_msg_parse(&a->msg, in->buf, in->len);
	if (a->result != SIP_OK)
		return;
	/* A client has no port of its own there, a member that answers has one mostly. */
	dp_cfg_prefetch_source(s->cfg, a->source_hash, a->msg.is_request ? 0 : in->src.port);
	look_transaction(s, &c, a);
	/* A user part needs the Request-URI read first. */
	if (!a->msg.is_request || c.service->select == DP_SELECT_REQUEST_URI_USER)
		return;
	steer_select_early(&c);
	a->slot = c.slot;
}

void steer_look_pair(const struct steer *s, const struct steer_ahead *a)
{
	unsigned int number;

	if (a->mac && s->records && !steer_records_fetch(s->records, a->mac) && s->store
	    && a->msg.is_request && a->msg.method != SIP_METHOD_ACK)
		steer_store_fetch(s->store, a->msg.len);
	if (!a->slot || !steer_has_many_pairs(s->cfg))
		return;
	number = *a->slot;
	dp_cfg_prefetch_pair(s->cfg, number);
	__builtin_prefetch((const void *)(uintptr_t)&s->p.pair_words[number]);
}

const struct dp_endpoint *steer_look_member(const struct steer *s, const struct steer_ahead *a)
{
	const struct dp_pair *p;
	unsigned int active;

	if (!a->slot)
		return NULL;
	p = dp_cfg_pair(s->cfg, *a->slot);
	active = dp_word_active(steer_word(s, *a->slot));
	if (!p || active >= DP_PAIR_FIRST)
		return NULL;
	if (s->p.members)
		__builtin_prefetch(DP_MEMBER_COUNTER(s->p.members,
						     *a->slot * DP_PAIR_MEMBERS + active,
						     requests[a->msg.method]),
				   1);
	return &p->first[active].at;
}
