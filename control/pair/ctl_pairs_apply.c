/*
 * Putting a model in force: pairs and members that stay keep their state, new ones start, others
 * end. All memory is taken before anything changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/ctl_log.h"
#include "control/pair/ctl_pairs_int.h"

#define SPREAD_US                                                                      \
	1000u /* first probes are this far apart on average, at most one period in all \
	       */

/* What apply is going to do with one pair. */
struct plan {
	struct ctl_pairs_pair *rp;
	bool is_new;
	unsigned int number;
	uint32_t fresh; /* slots that are new or moved */
	uint32_t gone;
	char *names[DP_PAIR_MEMBERS];
	struct ctl_pairs_target *targets[DP_PAIR_MEMBERS]; /* NULL: the old one stays */
	uint64_t hashes[DP_PAIR_MEMBERS];
	int slots[DP_PAIR_MEMBERS]; /* of the model's members */
};

/* ---- Settings */

static uint64_t spread(const char *pair, const char *member, uint64_t window_us)
{
	uint64_t h = (uint64_t)dp_key(pair, strlen(pair)) << 32 | dp_key(member, strlen(member));

	h = (h ^ h >> 31) * 0x9e3779b97f4a7c15ull;
	return window_us != 0 ? (h >> 16) % window_us : 0;
}

static uint64_t us(uint32_t ms)
{
	return ms * 1000ull;
}

static void settings(struct ctl_pair_conf *c, const struct ctl_pair_settings *s)
{
	c->check_us = us(s->oos_check_ms);
	c->force_us = us(s->oos_force_ms);
	c->timeout_us = us(s->probe_timeout_ms);
	c->fall = s->fall > 0 ? s->fall : 1;
	c->rise = s->rise > 0 ? s->rise : 1;
	c->probe_all = s->probe_all;
	c->gray_failover = s->gray_failover;
	c->failback = s->failback;
	c->interval_us = us(s->failback_interval_ms);
	c->hold_us = us(s->failback_hold_ms);
	for (unsigned int i = 0; i < s->n_unavailable_codes && i < CTL_PAIR_CODES; i++)
		c->codes[c->n_codes++] = s->unavailable_codes[i];
}

static void configure(struct ctl_pairs_pair *rp, const struct ctl_pair *mp, const int *slots,
		      size_t n_all)
{
	struct ctl_pair_conf *c = &rp->conf;
	uint64_t window_us = n_all * SPREAD_US, period_us;

	memset(c, 0, sizeof(*c));
	settings(c, &mp->set);
	period_us = c->check_us != 0 ? c->check_us : c->force_us;
	if (window_us > period_us)
		window_us = period_us;
	for (size_t i = 0; i < mp->n_members; i++) {
		const struct ctl_member *mm = &mp->members[i];
		unsigned int slot = (unsigned int)slots[i];

		c->order[c->n++] = (uint8_t)slot;
		c->m[slot] = (struct ctl_pair_member_conf){
			.name = rp->m[slot].name,
			.role = (uint8_t)mm->role,
			.rank = (uint8_t)i,
			.transport = ctl_model_probe_at(mp, mm).transport,
			.registers = mm->user != NULL && mm->password != NULL,
			.phase_us = spread(mp->name, mm->name, window_us),
		};
	}
}

/* ---- Planning */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211ull;
	return h;
}

static uint64_t mix_text(uint64_t h, const char *s)
{
	return s != NULL ? mix(h, s, strlen(s) + 1) : mix(h, "\1", 1);
}

static struct ctl_target_params target_params(const struct ctl_pair *mp,
					      const struct ctl_member *mm)
{
	struct sip_ip literal;
	struct ctl_target_params t = {
		.at = ctl_model_probe_at(mp, mm),
		.host = dp_ip_parse(mm->host, &literal) == 0 ? NULL : mm->host,
		.from_uri = mp->set.probe_from,
		.user_agent = mp->set.probe_user_agent,
		.user = mm->user,
		.password = mm->password,
		.max_forwards = mp->set.probe_max_forwards,
		.tls = { mp->tls.ca, mp->tls.cert, mp->tls.key, mp->tls.verify },
		.tls_name = mm->server_name != NULL ? mm->server_name : mp->tls.server_name,
	};
	unsigned int family = dp_ip_is_v4(&mm->at.ip) ? 0 : 1;

	if (mp->has_egress && mp->egress[family].port != 0)
		t.from = mp->egress[family].ip;
	for (unsigned int i = 0; i < mp->set.n_probe_source; i++) {
		if (dp_ip_is_v4(&mp->set.probe_source[i]) == dp_ip_is_v4(&mm->at.ip))
			t.from = mp->set.probe_source[i];
	}
	return t;
}

static uint64_t params_hash(const struct ctl_target_params *t)
{
	uint64_t h = mix(14695981039346656037ull, &t->at.ip, sizeof(t->at.ip));

	h = mix(h, &t->at.port, sizeof(t->at.port));
	h = mix(h, &t->at.transport, sizeof(t->at.transport));
	h = mix(h, &t->from, sizeof(t->from));
	h = mix(h, &t->max_forwards, sizeof(t->max_forwards));
	h = mix_text(h, t->host);
	h = mix_text(h, t->from_uri);
	h = mix_text(h, t->user_agent);
	h = mix_text(h, t->user);
	h = mix_text(h, t->tls.ca);
	h = mix_text(h, t->tls.cert);
	h = mix_text(h, t->tls.key);
	h = mix(h, &t->tls.verify, sizeof(t->tls.verify));
	h = mix_text(h, t->tls_name);
	return mix_text(h, t->password);
}

static bool same_place(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	return dp_ip_equal(&a->ip, &b->ip) && a->port == b->port && a->transport == b->transport;
}

/* A kept connection was closed: a doubt, like a failed one of live traffic. */
static void on_lost(void *arg)
{
	const struct ctl_pairs_target *t = arg;
	const struct ctl_pair_event ev = { .type = CTL_EV_STREAM,
					   .slot = t->slot,
					   .detail = ENOTCONN };

	if (t->pair->m[t->slot].target == t)
		ctl_pairs_step(t->pair, &ev);
}

static struct ctl_pairs_target *make_target(struct ctl_pairs_pair *rp, unsigned int slot,
					    struct ctl_target_params *t)
{
	struct ctl_pairs *ps = rp->ps;
	struct ctl_pairs_target *target = calloc(1, sizeof(*target));

	if (target == NULL)
		return NULL;
	target->refs = 1;
	target->pair = rp;
	target->slot = (uint8_t)slot;
	t->lost = on_lost;
	t->lost_arg = target;
	target->target = ps->io.target_new(ps->io.arg, t);
	if (target->target == NULL) {
		free(target);
		return NULL;
	}
	return target;
}

static int plan_member(struct plan *p, const struct ctl_pair *mp, size_t i, int slot)
{
	const struct ctl_member *mm = &mp->members[i];
	struct ctl_target_params t = target_params(mp, mm);
	const struct ctl_pairs_member *old = &p->rp->m[slot];
	uint64_t h = params_hash(&t);
	bool stays =
		old->name != NULL && strcmp(old->name, mm->name) == 0 && p->rp->st.m[slot].present;

	p->slots[i] = slot;
	p->hashes[slot] = h;
	p->gone &= ~(1u << slot);
	if (!stays) {
		p->names[slot] = strdup(mm->name);
		if (p->names[slot] == NULL)
			return -ENOMEM;
	}
	if (!stays || !same_place(&old->at, &mm->at))
		p->fresh |= 1u << slot;
	if (!stays || old->params_hash != h) {
		p->targets[slot] = make_target(p->rp, (unsigned int)slot, &t);
		if (p->targets[slot] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static struct ctl_pairs_pair *pair_new(struct ctl_pairs *ps, const char *name);

static int plan_pair(struct ctl_pairs *ps, struct plan *p, const struct ctl_pair *mp,
		     const struct ctl_numbers *numbers)
{
	int number = ctl_numbers_pair(numbers, mp->name);
	int err = 0;

	if (number < 0)
		return number;
	p->number = (unsigned int)number;
	p->rp = ctl_pairs_find(ps, mp->name);
	p->is_new = p->rp == NULL;
	if (p->is_new)
		p->rp = pair_new(ps, mp->name);
	if (p->rp == NULL)
		return -ENOMEM;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
		p->gone |= p->rp->st.m[s].present ? 1u << s : 0;
	for (size_t i = 0; i < mp->n_members && err == 0; i++) {
		int slot = ctl_numbers_slot(numbers, mp->name, mp->members[i].name);

		err = slot < 0 ? slot : plan_member(p, mp, i, slot);
	}
	/* A slot that goes from one member to another ends the first before the second begins. */
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
		p->gone |= p->names[s] != NULL && p->rp->st.m[s].present ? 1u << s : 0;
	return err;
}

static void forget_plans(struct ctl_pairs *ps, struct plan *plans, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
			free(plans[i].names[s]);
			ctl_pairs_unref(ps, plans[i].targets[s]);
		}
		if (plans[i].is_new && plans[i].rp != NULL) {
			free(plans[i].rp->name);
			free(plans[i].rp);
		}
	}
}

/* ---- Committing */

static void on_pair_timer(struct ctl_timer *t, uint64_t now_us)
{
	(void)now_us;
	ctl_pairs_step((struct ctl_pairs_pair *)t, &(struct ctl_pair_event){ .type = CTL_EV_TICK });
}

static void on_trial_timer(struct ctl_timer *t, uint64_t now_us)
{
	struct ctl_pairs_pair *rp =
		(struct ctl_pairs_pair *)((char *)t - offsetof(struct ctl_pairs_pair, trial.timer));

	(void)now_us;
	ctl_pairs_step(rp, &(struct ctl_pair_event){ .type = CTL_EV_TICK });
}

static struct ctl_pairs_pair *pair_new(struct ctl_pairs *ps, const char *name)
{
	struct ctl_pairs_pair *rp = calloc(1, sizeof(*rp));

	if (rp == NULL)
		return NULL;
	rp->name = strdup(name);
	if (rp->name == NULL) {
		free(rp);
		return NULL;
	}
	rp->ps = ps;
	rp->timer.fire = on_pair_timer;
	rp->trial.timer.fire = on_trial_timer;
	rp->trial.slot = CTL_PAIR_NONE;
	ctl_pair_init(&rp->st);
	return rp;
}

static void link_pair(struct ctl_pairs *ps, struct ctl_pairs_pair *rp)
{
	struct ctl_pairs_pair **at = &ps->buckets[ctl_pairs_bucket(rp->name)];

	rp->next = *at;
	*at = rp;
}

static void take_members(struct ctl_pairs *ps, struct plan *p, const struct ctl_pair *mp)
{
	for (size_t i = 0; i < mp->n_members; i++) {
		unsigned int s = (unsigned int)p->slots[i];
		struct ctl_pairs_member *m = &p->rp->m[s];

		if (p->names[s] != NULL) {
			free(m->name);
			m->name = p->names[s];
			p->names[s] = NULL;
		}
		if (p->targets[s] != NULL) {
			ctl_pairs_unref(ps, m->target);
			m->target = p->targets[s];
			p->targets[s] = NULL;
		}
		m->at = mp->members[i].at;
		m->params_hash = p->hashes[s];
	}
}

static void drop_gone(struct ctl_pairs *ps, struct ctl_pairs_pair *rp, uint32_t gone)
{
	if (gone != 0)
		ctl_pairs_step(rp, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = gone });
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (rp->st.m[s].present || rp->m[s].name == NULL)
			continue;
		ctl_pairs_unref(ps, rp->m[s].target);
		rp->m[s].target = NULL;
		free(rp->m[s].name);
		rp->m[s] = (struct ctl_pairs_member){ 0 };
		rp->conf.m[s].name = NULL;
	}
}

static bool same_settings(const struct ctl_pair_conf *a, const struct ctl_pair_conf *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void commit_pair(struct ctl_pairs *ps, struct plan *p, const struct ctl_pair *mp,
			size_t n_all, const _Atomic uint64_t *words)
{
	struct ctl_pairs_pair *rp = p->rp;
	struct ctl_pair_event ev = { .type = CTL_EV_CHANGE, .slots = p->fresh };
	struct ctl_pair_conf old = rp->conf;
	bool is_new = p->is_new;

	if (is_new)
		link_pair(ps, rp);
	p->is_new = false;
	rp->number = p->number;
	rp->in_model = true;
	ps->by_number[rp->number] = rp;
	drop_gone(ps, rp, p->gone);
	take_members(ps, p, mp);
	configure(rp, mp, p->slots, n_all);
	if (ev.slots == 0 && same_settings(&old, &rp->conf))
		return;
	if (is_new)
		ctl_pairs_adopt(rp, ev.slots,
				words != NULL ? atomic_load_explicit(&words[rp->number],
								     memory_order_relaxed)
					      : 0);
	else
		ctl_pairs_step(rp, &ev);
}

static void end_others(struct ctl_pairs *ps, struct ctl_pairs_pair **old, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (old[i]->in_model)
			continue;
		drop_gone(ps, old[i], UINT16_MAX);
		ctl_pairs_pair_free(old[i]);
	}
}

int ctl_pairs_apply(struct ctl_pairs *ps, const struct ctl_model *model,
		    const struct ctl_numbers *numbers, const _Atomic uint64_t *words)
{
	size_t n = model->n_pairs, n_members = 0, n_old = ps->n_order;
	struct ctl_pairs_pair **old = ps->order;
	struct ctl_pairs_pair **order = calloc(n + 1, sizeof(struct ctl_pairs_pair *));
	struct plan *plans = calloc(n + 1, sizeof(*plans));
	int err = order != NULL && plans != NULL ? 0 : -ENOMEM;
	size_t planned = 0;

	for (; planned < n && err == 0; planned++) {
		err = plan_pair(ps, &plans[planned], &model->pairs[planned], numbers);
		n_members += model->pairs[planned].n_members;
	}
	if (err != 0)
		goto out;
	for (size_t i = 0; i < n_old; i++)
		old[i]->in_model = false;
	for (size_t i = 0; i < n; i++)
		order[i] = plans[i].rp;
	for (size_t i = 0; i < n; i++)
		order[i]->in_model = true;
	ps->order = order;
	ps->n_order = n;
	order = old;
	end_others(ps, old, n_old);
	for (size_t i = 0; i < n; i++)
		commit_pair(ps, &plans[i], &model->pairs[i], n_members, words);
	ctl_pairs_dirty(ps);
out:
	forget_plans(ps, plans, planned);
	free(plans);
	free(order);
	return err;
}

int ctl_pairs_go_back(struct ctl_pairs *ps, const struct ctl_model *model,
		      struct ctl_numbers *numbers, uint64_t now_ms, const _Atomic uint64_t *words)
{
	int err = ctl_numbers_assign(numbers, model, now_ms);

	return err != 0 ? err : ctl_pairs_apply(ps, model, numbers, words);
}

/* ---- Before a reload */

static const struct ctl_member *find_in(const struct ctl_pair *mp, const char *name)
{
	for (size_t i = 0; mp != NULL && i < mp->n_members; i++) {
		if (strcmp(mp->members[i].name, name) == 0)
			return &mp->members[i];
	}
	return NULL;
}

void ctl_pairs_retire(struct ctl_pairs *ps, const struct ctl_model *next)
{
	for (size_t i = 0; i < ps->n_order; i++) {
		struct ctl_pairs_pair *rp = ps->order[i];
		int at = ctl_model_find_pair(next, rp->name);
		const struct ctl_pair *mp = at >= 0 ? &next->pairs[at] : NULL;
		uint32_t gone = 0;

		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
			if (rp->st.m[s].present && find_in(mp, rp->m[s].name) == NULL)
				gone |= 1u << s;
		}
		if (gone != 0)
			ctl_pairs_step(
				rp, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = gone });
	}
}
