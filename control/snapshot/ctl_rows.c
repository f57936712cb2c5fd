/* Rows of pairs and members. Names that are there already are kept, and so are their keys. */
#include "control/snapshot/ctl_rows.h"

#include "dataplane/steer/steer_prepare.h"

bool ctl_rows_text(struct dp_cfg *c, const char *s, size_t len, struct dp_text *t)
{
	if (len > c->strings_size - c->strings_len)
		return false;
	*t = (struct dp_text){ .off = c->strings_len, .len = (uint32_t)len };
	memcpy((char *)c + c->strings + t->off, s, len);
	c->strings_len += t->len;
	return true;
}

bool ctl_rows_text_is(const struct dp_cfg *c, struct dp_text t, const char *s)
{
	const char *have = dp_cfg_text(c, t);

	/* strncmp() does not read behind the end of s. */
	return strncmp(have, s, t.len) == 0 && s[t.len] == '\0';
}

/* All of a pair's first line that the model says by itself. */
static void put_settings(struct dp_pair *p, const struct ctl_pair *cp, const uint8_t *slot)
{
	p->valid = 1;
	p->n_members = (uint8_t)cp->n_members;
	p->failover_methods = cp->set.failover_methods;
	p->signal_methods = cp->set.signal_methods;
	p->no_response_us = cp->set.no_response_ms * 1000;
	p->retry_counts = (uint8_t)cp->set.retry_counts;
	p->flags = (uint8_t)((cp->set.shares & CTL_SHARES_TRANSACTIONS ? DP_PAIR_SHARES_TRANSACTIONS
								       : 0)
			     | (cp->set.concurrent ? DP_PAIR_CONCURRENT : 0));
	memset(p->order, 0, sizeof(p->order));
	memcpy(p->order, slot, cp->n_members);
}

static bool same_member(const struct dp_cfg *c, const struct dp_member *m,
			const struct ctl_member *cm)
{
	return m->valid && memcmp(&m->at, &cm->at, sizeof(m->at)) == 0 && m->role == cm->role
	       && m->methods == cm->methods && ctl_rows_text_is(c, m->name, cm->name);
}

bool ctl_rows_same(const struct dp_cfg *c, const struct dp_pair *p, const struct ctl_pair *cp,
		   const uint8_t *slot)
{
	struct dp_pair want;

	memcpy(&want, p, offsetof(struct dp_pair, first));
	put_settings(&want, cp, slot);
	if (memcmp(&want, p, offsetof(struct dp_pair, first)) != 0)
		return false;
	for (size_t k = 0; k < cp->n_members; k++) {
		if (!same_member(c, dp_pair_member(p, slot[k]), &cp->members[k]))
			return false;
	}
	return true;
}

/* Rows behind the first ones. Those of a pair that needs more than it had are given up. */
static bool make_room(struct dp_cfg *c, struct dp_pair *p, uint32_t n)
{
	uint32_t at = c->more + c->more_len * (uint32_t)sizeof(struct dp_member);

	if (n <= p->n_more)
		return true;
	if (n > c->more_size - c->more_len)
		return false;
	p->more = at - (uint32_t)((const uint8_t *)p - (const uint8_t *)c);
	p->n_more = (uint8_t)n;
	c->more_len += n;
	return true;
}

static bool fill_member(struct dp_cfg *c, struct dp_member *row, const struct dp_member *old,
			const struct ctl_member *cm, uint8_t slot, uint32_t pair_key)
{
	*row = (struct dp_member){
		.at = cm->at,
		.key = old->key,
		.methods = cm->methods,
		.valid = 1,
		.role = (uint8_t)cm->role,
		.slot = slot,
		.name = old->name,
	};
	if (!old->valid || !ctl_rows_text_is(c, old->name, cm->name)) {
		row->key = dp_key(cm->name, strlen(cm->name));
		if (!ctl_rows_text(c, cm->name, strlen(cm->name), &row->name))
			return false;
	}
	steer_prepare_member(row, pair_key);
	return true;
}

bool ctl_rows_put(struct dp_cfg *c, struct dp_pair *p, const struct ctl_pair *cp,
		  const uint8_t *slot)
{
	struct dp_member rows[DP_PAIR_MEMBERS];
	unsigned int end = DP_PAIR_FIRST;

	memset(rows, 0, DP_PAIR_FIRST * sizeof(rows[0]));
	for (size_t k = 0; k < cp->n_members; k++) {
		for (; end <= slot[k]; end++)
			rows[end] = (struct dp_member){ 0 };
		if (!fill_member(c, &rows[slot[k]], dp_pair_member(p, slot[k]), &cp->members[k],
				 slot[k], p->key))
			return false;
	}
	if (!make_room(c, p, end - DP_PAIR_FIRST))
		return false;
	for (; end < DP_PAIR_FIRST + (unsigned int)p->n_more; end++)
		rows[end] = (struct dp_member){ 0 };
	put_settings(p, cp, slot);
	memcpy(p->first, rows, sizeof(p->first));
	if (p->n_more)
		memcpy((uint8_t *)p + p->more, rows + DP_PAIR_FIRST,
		       p->n_more * sizeof(struct dp_member));
	return true;
}
