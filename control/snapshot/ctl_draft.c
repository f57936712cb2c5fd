/*
 * The draft is changed in place where nothing but members and settings of pairs has changed, and
 * they are few. Whether it may be is told by a hash of all else, the shape: services, listeners,
 * pairs by name, number, order, weight and egress, prefixes of sources, keys.
 *
 * Addresses that a changed pair had or has are looked after together: what is known by one of them
 * is forgotten, and then told again by all members of all pairs, in the model's order, as a new
 * block would be filled. So it does not matter how the draft came to be what it is.
 */
#include "control/snapshot/ctl_draft.h"

#include <stdlib.h>
#include <string.h>

#include "control/snapshot/ctl_build.h"
#include "control/snapshot/ctl_places.h"
#include "control/snapshot/ctl_rows.h"
#include "control/snapshot/ctl_shape.h"

/* One in so many pairs, and this many, may change in place. */
#define FEW_SHARE 16
#define FEW       64

struct ctl_draft {
	struct dp_cfg *cfg; /* NULL: there is none yet */
	uint64_t shape;
	struct ctl_draft_stats last;
};

/* Addresses: endpoints whatever their transport, and with port 0 for any port. */
struct place {
	struct sip_ip ip;
	uint16_t port;
	bool used;
};

struct places {
	struct place *at; /* open addressing */
	uint32_t size;
	uint64_t filter; /* a bit for some of an address: whether it can be here at all */
};

struct patch {
	struct dp_cfg *cfg;
	const struct ctl_model *model;
	const struct ctl_seats *seats;
	size_t *changed; /* pairs of the model */
	size_t n_changed;
	struct places places;
};

struct ctl_draft *ctl_draft_new(void)
{
	return calloc(1, sizeof(struct ctl_draft));
}

void ctl_draft_free(struct ctl_draft *d)
{
	if (!d)
		return;
	free(d->cfg);
	free(d);
}

struct ctl_draft_stats ctl_draft_stats(const struct ctl_draft *d)
{
	return d->last;
}

/* ---- Which addresses a change touches */

static uint64_t filter_bit(const struct sip_ip *ip)
{
	uint64_t x[2];

	memcpy(x, ip->b, sizeof(x));
	return 1ull << ((x[0] ^ x[1]) * 0x9e3779b97f4a7c15ull >> 58);
}

static struct place *find(const struct places *p, const struct sip_ip *ip, uint16_t port)
{
	const struct dp_endpoint e = { .ip = *ip, .port = port };
	uint32_t i = dp_endpoint_hash(&e) & (p->size - 1);

	while (p->at[i].used && (p->at[i].port != port || !dp_ip_equal(&p->at[i].ip, ip)))
		i = (i + 1) & (p->size - 1);
	return &p->at[i];
}

static bool is_in(const struct places *p, const struct sip_ip *ip, uint16_t port)
{
	return find(p, ip, port)->used;
}

static void touch(struct places *p, const struct dp_endpoint *at)
{
	if (!at->port)
		return;
	*find(p, &at->ip, at->port) = (struct place){ at->ip, at->port, true };
	*find(p, &at->ip, 0) = (struct place){ at->ip, 0, true };
	p->filter |= filter_bit(&at->ip);
}

static const struct dp_pair *row_of(const struct patch *t, size_t i)
{
	return (const struct dp_pair *)dp_cfg_at(t->cfg, t->cfg->pairs) + t->seats->number[i];
}

/* Whether what is known by address of the i-th pair stays: the same places in the same slots. */
static bool same_places(const struct patch *t, size_t i)
{
	const struct ctl_pair *cp = &t->model->pairs[i];
	const struct dp_pair *p = row_of(t, i);

	if (p->n_members != cp->n_members)
		return false;
	for (size_t k = 0; k < cp->n_members; k++) {
		const struct dp_member *m = dp_pair_member(p, t->seats->slot[i][k]);

		if (p->order[k] != t->seats->slot[i][k]
		    || memcmp(&m->at, &cp->members[k].at, sizeof(m->at)) != 0)
			return false;
	}
	return true;
}

static bool find_places(struct patch *t)
{
	struct places *p = &t->places;

	p->size = ctl_pow2_at_least(t->n_changed * DP_PAIR_MEMBERS * 8);
	p->at = calloc(p->size, sizeof(*p->at));
	for (size_t n = 0; p->at && n < t->n_changed; n++) {
		size_t i = t->changed[n];
		const struct ctl_pair *cp = &t->model->pairs[i];

		if (same_places(t, i))
			continue;
		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
			touch(p, &dp_pair_member(row_of(t, i), s)->at);
		for (size_t k = 0; k < cp->n_members; k++)
			touch(p, &cp->members[k].at);
	}
	return p->at != NULL;
}

/* ---- Changing it in place */

static void forget_places(struct patch *t)
{
	for (uint32_t i = 0; t->places.filter && i < t->places.size; i++) {
		const struct place *p = &t->places.at[i];
		struct dp_endpoint e = { .ip = p->ip, .port = p->port };

		if (!p->used)
			continue;
		ctl_places_remove_source(t->cfg, &e.ip, e.port);
		for (e.transport = DP_UDP; e.port && e.transport <= DP_TLS; e.transport++)
			ctl_places_remove_members(t->cfg, &e);
	}
}

static bool tell_place(struct patch *t, size_t i, size_t k)
{
	const struct dp_endpoint *at = &t->model->pairs[i].members[k].at;
	uint16_t number = t->seats->number[i];
	uint8_t slot = t->seats->slot[i][k];

	if (!at->port || !is_in(&t->places, &at->ip, 0))
		return true;
	if (is_in(&t->places, &at->ip, at->port)
	    && (!ctl_places_add_member(t->cfg, at, (uint32_t)number * DP_PAIR_MEMBERS + slot)
		|| !ctl_places_add_source(t->cfg, &at->ip, at->port, number, slot)))
		return false;
	return ctl_places_add_source(t->cfg, &at->ip, 0, number, slot);
}

static bool tell_places(struct patch *t)
{
	const struct ctl_model *m = t->model;

	for (size_t i = 0; t->places.filter && i < m->n_pairs; i++) {
		const struct ctl_pair *cp = &m->pairs[i];

		for (size_t k = 0; k < cp->n_members; k++) {
			if (t->places.filter & filter_bit(&cp->members[k].at.ip)
			    && !tell_place(t, i, k))
				return false;
		}
	}
	return true;
}

static bool put_rows(struct patch *t)
{
	for (size_t n = 0; n < t->n_changed; n++) {
		size_t i = t->changed[n];
		struct dp_pair *p =
			(struct dp_pair *)((uint8_t *)t->cfg + t->cfg->pairs) + t->seats->number[i];

		if (!ctl_rows_put(t->cfg, p, &t->model->pairs[i], t->seats->slot[i]))
			return false;
	}
	return true;
}

/* @return false: too much of it, or out of memory. */
static bool find_changed(struct patch *t)
{
	size_t most = t->model->n_pairs / FEW_SHARE + FEW;

	t->changed = calloc(most, sizeof(*t->changed));
	for (size_t i = 0; t->changed && i < t->model->n_pairs; i++) {
		if (ctl_rows_same(t->cfg, row_of(t, i), &t->model->pairs[i], t->seats->slot[i]))
			continue;
		if (t->n_changed == most)
			return false;
		t->changed[t->n_changed++] = i;
	}
	return t->changed != NULL;
}

/* @return false when it cannot be done: what is left of the block is then good for its Maglev
 * tables only. */
static bool patch(struct ctl_draft *d, const struct ctl_model *m, const struct ctl_seats *seats)
{
	struct patch t = { .cfg = d->cfg, .model = m, .seats = seats };
	bool good = find_changed(&t) && (t.n_changed == 0 || find_places(&t));

	if (good && t.n_changed) {
		forget_places(&t); /* while the rows still say where they are */
		good = put_rows(&t) && tell_places(&t);
	}
	d->last = (struct ctl_draft_stats){ .pairs = t.n_changed };
	free(t.changed);
	free(t.places.at);
	return good;
}

/* ---- The whole */

static bool rebuild(struct ctl_draft *d, const struct ctl_model *m, const struct ctl_seats *seats,
		    const struct ctl_secrets *secrets, const struct dp_cfg *old)
{
	struct dp_cfg *was = d->cfg;

	d->cfg = ctl_build_seated(m, seats, secrets, was ? was : old);
	d->last = (struct ctl_draft_stats){ .whole = true };
	free(was);
	return d->cfg != NULL;
}

const struct dp_cfg *ctl_draft_update(struct ctl_draft *d, const struct ctl_model *m,
				      const struct ctl_numbers *n,
				      const struct ctl_secrets *secrets, const struct dp_cfg *old)
{
	struct ctl_seats seats;
	uint64_t shape;

	if (ctl_seats_init(&seats, m, n) < 0)
		return NULL;
	shape = ctl_shape(m, &seats, secrets);
	if ((d->cfg && shape == d->shape && patch(d, m, &seats))
	    || rebuild(d, m, &seats, secrets, old))
		d->cfg->serial = old ? old->serial + 1 : 1;
	d->shape = shape;
	ctl_seats_fini(&seats);
	return d->cfg;
}
