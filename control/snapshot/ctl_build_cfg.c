/*
 * Model and numbers to a snapshot's configuration half, from nothing.
 *
 * The block is laid out in two steps: first every array is appended (its size is known from the
 * model), then the arrays are filled in place; nothing is appended while a pointer into the block
 * is held. Strings, member rows and look-ups by address have room to spare, for changes in place
 * (ctl_draft.h). Control thread only.
 */
#include "control/snapshot/ctl_snapshot.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/snapshot/ctl_build.h"
#include "control/snapshot/ctl_places.h"
#include "control/snapshot/ctl_rows.h"
#include "dataplane/steer/steer_mac.h"
#include "dataplane/steer/steer_prepare.h"

struct builder {
	struct ctl_block block;
	const struct ctl_model *model;
	const struct ctl_seats *seats;
	bool failed; /* out of the room that was allocated: never */
};

static struct dp_cfg *cfg(struct builder *b)
{
	return ctl_block_at(&b->block, 0);
}

/* ---- Sizes
 * --------------------------------------------------------------------------------------------------
 */

/** Room for "[v6 address]:port". */
#define HOSTPORT_SIZE 56

static uint32_t with_spare(size_t n, size_t least)
{
	return (uint32_t)(n + n / 8 + least);
}

static size_t strings_size(const struct ctl_model *m, size_t n_listeners)
{
	size_t size = n_listeners * HOSTPORT_SIZE;

	for (size_t i = 0; i < m->n_services; i++) {
		size += strlen(m->services[i].name);
		for (size_t k = 0; k < m->services[i].n_emergency; k++)
			size += strlen(m->services[i].emergency[k]);
	}
	for (size_t i = 0; i < m->n_pairs; i++) {
		size += strlen(m->pairs[i].name);
		for (size_t k = 0; k < m->pairs[i].n_members; k++)
			size += strlen(m->pairs[i].members[k].name);
	}
	return size;
}

static size_t count_listeners(const struct ctl_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		n += m->services[i].n_listens;
	for (size_t i = 0; i < m->n_pairs; i++)
		n += (m->pairs[i].egress[0].port != 0) + (size_t)(m->pairs[i].egress[1].port != 0);
	return n;
}

static void allocate_places(struct builder *b, struct dp_cfg *c)
{
	struct ctl_places_size size = ctl_places_size(b->seats->n_members);

	c->pair_hash_size = ctl_pow2_at_least(2 * b->model->n_pairs + 1);
	c->pair_hash = ctl_block_array(&b->block, c->pair_hash_size, sizeof(uint32_t));
	c->source_hash_size = size.source_hash;
	c->source_hash = ctl_block_array(&b->block, size.source_hash, sizeof(uint32_t));
	c->exact_sources_size = size.sources;
	c->exact_sources = ctl_block_array(&b->block, size.sources, sizeof(struct dp_source));
	c->member_hash_size = size.member_hash;
	c->member_hash = ctl_block_array(&b->block, size.member_hash, sizeof(uint32_t));
}

static void allocate(struct builder *b)
{
	const struct ctl_model *m = b->model;
	const struct ctl_seats *s = b->seats;
	size_t n_listeners = count_listeners(m);
	struct dp_cfg c = { .n_listeners = (uint32_t)n_listeners };

	c.listeners = ctl_block_array(&b->block, n_listeners, sizeof(struct dp_listener));
	c.n_services = (uint32_t)m->n_services;
	c.services = ctl_block_array(&b->block, m->n_services, sizeof(struct dp_service));
	c.n_pairs = (uint32_t)s->n_rows;
	c.pairs = ctl_block_array(&b->block, s->n_rows, sizeof(struct dp_pair));
	c.pair_info = ctl_block_array(&b->block, s->n_rows, sizeof(struct dp_pair_info));
	c.more_size = with_spare(s->n_more, 16);
	c.more = ctl_block_array(&b->block, c.more_size, sizeof(struct dp_member));
	c.strings_size = with_spare(strings_size(m, n_listeners), 1024);
	c.strings = ctl_block_array(&b->block, c.strings_size, 1);
	c.listener_hash_size = ctl_pow2_at_least(2 * n_listeners + 1);
	c.listener_hash = ctl_block_array(&b->block, c.listener_hash_size, sizeof(uint16_t));
	allocate_places(b, &c);
	if (b->block.failed)
		return;
	*cfg(b) = c;
	memset(ctl_block_at(&b->block, c.listener_hash), 0xff,
	       c.listener_hash_size * sizeof(uint16_t));
}

/* ---- Filling
 * ------------------------------------------------------------------------------------------------
 */

static struct dp_text add_text(struct builder *b, const char *s, size_t len)
{
	struct dp_text t = { 0 };

	b->failed |= !ctl_rows_text(cfg(b), s, len, &t);
	return t;
}

static struct dp_text add_name(struct builder *b, const char *name)
{
	return add_text(b, name, strlen(name));
}

static void hash16(struct builder *b, uint32_t off, uint32_t size, uint32_t hash, uint16_t value)
{
	uint16_t *bucket = ctl_block_at(&b->block, off);
	uint32_t i = hash & (size - 1);

	while (bucket[i] != DP_NONE16)
		i = (i + 1) & (size - 1);
	bucket[i] = value;
}

static struct dp_pair *pair_row(struct builder *b, size_t number)
{
	return (struct dp_pair *)ctl_block_at(&b->block, cfg(b)->pairs) + number;
}

/** Add one listener; returns its number. An address listed twice (an egress of several pairs) is
 * one listener. */
static uint16_t add_listener(struct builder *b, uint16_t *n, const struct dp_endpoint *at,
			     unsigned int port, uint16_t service, uint8_t flags)
{
	struct dp_cfg *c = cfg(b);
	struct dp_listener *all = ctl_block_at(&b->block, c->listeners);
	const struct dp_listener *there = dp_cfg_listener_at(c, at);
	char text[HOSTPORT_SIZE], ip[INET6_ADDRSTRLEN];
	struct dp_listener *l;
	int len;

	if (there) {
		all[there - all].flags |= flags;
		return (uint16_t)(there - all);
	}
	l = &all[*n];
	dp_ip_format(&at->ip, ip);
	len = snprintf(text, sizeof(text), dp_ip_is_v4(&at->ip) ? "%s:%u" : "[%s]:%u", ip,
		       at->port);
	*l = (struct dp_listener){
		.at = *at,
		.key = dp_key(text, (size_t)len),
		.flags = flags,
		.dpdk_port = (uint8_t)port,
		.service = service,
		.hostport = add_text(b, text, (size_t)len),
	};
	steer_prepare_listener(l, text, (size_t)len);
	hash16(b, c->listener_hash, c->listener_hash_size, dp_endpoint_hash(at), *n);
	return (*n)++;
}

static void fill_listeners(struct builder *b)
{
	const struct ctl_model *m = b->model;
	struct dp_service *services = ctl_block_at(&b->block, cfg(b)->services);
	uint16_t n = 0;

	for (size_t i = 0; i < m->n_services; i++) {
		struct dp_service *s = &services[i];

		s->listener4 = s->listener6 = DP_NONE16;
		for (size_t k = 0; k < m->services[i].n_listens; k++) {
			const struct ctl_listen *cl = &m->services[i].listens[k];
			uint16_t number = add_listener(b, &n, &cl->at, cl->port, (uint16_t)i,
						       DP_LISTENER_CLIENT);
			uint16_t *first = dp_ip_is_v4(&cl->at.ip) ? &s->listener4 : &s->listener6;

			if (*first == DP_NONE16)
				*first = number;
		}
	}
	cfg(b)->n_listeners = n;
}

/** Egress listeners come after the services', and belong to the first service of their pair. */
static void fill_egress(struct builder *b, size_t i)
{
	const struct ctl_pair *cp = &b->model->pairs[i];
	struct dp_pair *p = pair_row(b, b->seats->number[i]);
	uint16_t n = (uint16_t)cfg(b)->n_listeners;
	uint16_t service = p->n_services ? p->services[0] : DP_NONE16;
	uint16_t *number[2] = { &p->egress4, &p->egress6 };

	for (int f = 0; f < 2; f++) {
		*number[f] = DP_NONE16;
		if (cp->egress[f].port)
			*number[f] = add_listener(b, &n, &cp->egress[f], cp->egress_port[f],
						  service, DP_LISTENER_EGRESS);
	}
	cfg(b)->n_listeners = n;
}

static int cmp_u16(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Numbers are given out in the file's order, so that a list is nearly always sorted already. */
static void sort_u16(uint16_t *list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (list[i - 1] > list[i]) {
			qsort(list, n, sizeof(*list), cmp_u16);
			return;
		}
	}
}

static uint16_t code_for_503(const struct ctl_service *s)
{
	if (s->map_503)
		return (uint16_t)s->map_503;
	return s->n_pairs > 1 ? 500 : 503;
}

/** The configuration bounds a pair to DP_PAIR_SERVICES services and names it once in each. */
static void link_service(struct builder *b, uint16_t pair, uint16_t service)
{
	struct dp_pair *p = pair_row(b, pair);

	if (p->n_services < DP_PAIR_SERVICES)
		p->services[p->n_services++] = service;
}

/* Who may come, then who may not. */
static void fill_access(struct dp_access *a, const struct ctl_service *cs)
{
	for (size_t i = 0; i < cs->n_allow + cs->n_deny; i++) {
		const struct ctl_source *p =
			i < cs->n_allow ? &cs->allow[i] : &cs->deny[i - cs->n_allow];

		a[i] = (struct dp_access){ .ip = p->ip, .prefix_len = p->prefix_len };
	}
}

/** Scalars and pair list of one service; appends, so it takes care of moving pointers itself. */
static void fill_service(struct builder *b, size_t i)
{
	const struct ctl_service *cs = &b->model->services[i];
	uint32_t pairs = ctl_block_array(&b->block, cs->n_pairs, sizeof(uint16_t));
	uint32_t emergency = ctl_block_array(&b->block, cs->n_emergency, sizeof(struct dp_text));
	uint32_t access =
		ctl_block_array(&b->block, cs->n_allow + cs->n_deny, sizeof(struct dp_access));
	struct dp_service *s;
	uint16_t *list;

	if (b->block.failed)
		return;
	s = (struct dp_service *)ctl_block_at(&b->block, cfg(b)->services) + i;
	s->name = add_name(b, cs->name);
	s->key = dp_key(cs->name, strlen(cs->name));
	s->select = (uint8_t)cs->select;
	s->path = cs->path;
	s->trust_maddr = cs->trust_maddr;
	s->in_dialog_active = cs->in_dialog_active;
	s->map_503 = code_for_503(cs);
	s->retry_after_s = (uint16_t)((cs->retry_after_ms + 999) / 1000);
	s->answers_per_s = cs->answers_per_s;
	s->max_message = cs->max_message;
	s->requests_per_s = cs->requests_per_s;
	s->access = access;
	s->n_allow = (uint16_t)cs->n_allow;
	s->n_deny = (uint16_t)cs->n_deny;
	fill_access(ctl_block_at(&b->block, access), cs);
	s->n_pairs = (uint16_t)cs->n_pairs;
	s->pairs = pairs;
	s->emergency = emergency;
	s->n_emergency = (uint32_t)cs->n_emergency;
	list = ctl_block_at(&b->block, pairs);
	for (size_t k = 0; k < cs->n_pairs; k++) {
		list[k] = b->seats->number[cs->pairs[k]];
		link_service(b, list[k], (uint16_t)i);
	}
	sort_u16(list, cs->n_pairs);
	for (size_t k = 0; k < cs->n_emergency; k++)
		((struct dp_text *)ctl_block_at(&b->block, emergency))[k] =
			add_name(b, cs->emergency[k]);
}

static void fill_pair(struct builder *b, size_t i)
{
	const struct ctl_pair *cp = &b->model->pairs[i];
	const uint8_t *slot = b->seats->slot[i];
	struct dp_cfg *c = cfg(b);
	uint32_t number = b->seats->number[i];
	struct dp_pair *p = pair_row(b, number);
	struct dp_pair_info *info = ctl_block_at(&b->block, c->pair_info);

	p->key = dp_key(cp->name, strlen(cp->name));
	info[number] = (struct dp_pair_info){ .name = add_name(b, cp->name), .weight = cp->weight };
	b->failed |= !ctl_rows_put(c, p, cp, slot);
	for (size_t k = 0; k < cp->n_members; k++)
		b->failed |= !ctl_build_place(c, (uint16_t)number, slot[k], &cp->members[k].at);
	ctl_bucket_put(ctl_block_at(&b->block, c->pair_hash), c->pair_hash_size, p->key, number);
}

bool ctl_build_place(struct dp_cfg *c, uint16_t pair, uint8_t slot, const struct dp_endpoint *at)
{
	if (!at->port)
		return true;
	return ctl_places_add_member(c, at, (uint32_t)pair * DP_PAIR_MEMBERS + slot)
	       && ctl_places_add_source(c, &at->ip, at->port, pair, slot)
	       && ctl_places_add_source(c, &at->ip, 0, pair, slot);
}

static void fill_head(struct dp_cfg *c, const struct ctl_model *m,
		      const struct ctl_secrets *secrets)
{
	c->instance = dp_key(m->instance, strlen(m->instance));
	c->n_secrets = secrets->n;
	memcpy(c->punt_per_s, m->punt_per_s, sizeof(c->punt_per_s));
	memcpy(c->secrets, secrets->key, sizeof(c->secrets));
	for (uint32_t i = 0; i < c->n_secrets; i++)
		steer_secret_spread(&c->secrets[i]);
}

struct dp_cfg *ctl_build_seated(const struct ctl_model *m, const struct ctl_seats *seats,
				const struct ctl_secrets *secrets, const struct dp_cfg *old)
{
	struct builder b = { .model = m, .seats = seats };

	ctl_block_init(&b.block, sizeof(struct dp_cfg));
	if (!b.block.failed)
		allocate(&b);
	if (b.block.failed)
		return ctl_block_take(&b.block);
	fill_listeners(&b);
	for (size_t i = 0; i < m->n_pairs; i++)
		fill_pair(&b, i);
	for (size_t i = 0; i < m->n_services; i++)
		fill_service(&b, i);
	for (size_t i = 0; !b.block.failed && i < m->n_pairs; i++)
		fill_egress(&b, i);
	ctl_build_prefixes(&b.block, m, seats->number);
	ctl_build_maglev(&b.block, m, old);
	b.block.failed |= b.failed;
	if (!b.block.failed) {
		fill_head(cfg(&b), m, secrets);
		cfg(&b)->size = b.block.len;
		cfg(&b)->serial = old ? old->serial + 1 : 1;
	}
	return ctl_block_take(&b.block);
}

struct dp_cfg *ctl_build_cfg(const struct ctl_model *m, const struct ctl_numbers *n,
			     const struct ctl_secrets *secrets, const struct dp_cfg *old)
{
	struct ctl_seats seats;
	struct dp_cfg *c;

	if (ctl_seats_init(&seats, m, n) < 0)
		return NULL;
	c = ctl_build_seated(m, &seats, secrets, old);
	ctl_seats_fini(&seats);
	return c;
}
