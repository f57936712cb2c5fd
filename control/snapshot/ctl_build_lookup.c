/*
 * Sources and Maglev tables of a configuration block.
 */
#include "control/snapshot/ctl_build_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_maglev.h"

/* ---- Sources
 * -------------------------------------------------------------------------------------------------
 */

struct sources {
	struct dp_source *list;
	uint32_t n;
	uint32_t *bucket;
	uint32_t mask;
};

static struct dp_source *find_exact(struct sources *s, const struct sip_ip *ip, uint16_t port,
				    uint32_t *slot)
{
	struct dp_endpoint e = { .ip = *ip, .port = port };
	uint32_t i = dp_endpoint_hash(&e) & s->mask;

	for (; s->bucket[i] != UINT32_MAX; i = (i + 1) & s->mask) {
		struct dp_source *at = &s->list[s->bucket[i]];

		if (at->port == port && dp_ip_equal(&at->ip, ip))
			return at;
	}
	*slot = i;
	return NULL;
}

/**
 * An endpoint, or with port 0 an address with any port. The first pair that names it keeps it; two
 * members of one pair behind one address are the pair as a whole.
 */
static void add_exact(struct sources *s, const struct sip_ip *ip, uint16_t port, uint16_t pair,
		      uint8_t slot)
{
	uint32_t bucket = 0;
	struct dp_source *at = find_exact(s, ip, port, &bucket);

	if (at) {
		if (at->pair == pair && at->slot != slot)
			at->slot = DP_PAIR_MEMBERS;
		return;
	}
	s->bucket[bucket] = s->n;
	s->list[s->n++] = (struct dp_source){
		.ip = *ip, .port = port, .prefix_len = 128, .slot = slot, .pair = pair
	};
}

static int longest_first(const void *a, const void *b)
{
	return ((const struct dp_source *)b)->prefix_len
	       - ((const struct dp_source *)a)->prefix_len;
}

void ctl_build_sources(struct ctl_block *b, const struct ctl_model *m, const struct ctl_numbers *n,
		       const uint16_t *number)
{
	struct dp_cfg *c;
	struct sources s;

	if (b->failed)
		return;
	c = ctl_block_at(b, 0);
	s = (struct sources){
		.list = ctl_block_at(b, c->sources),
		.bucket = ctl_block_at(b, c->source_hash),
		.mask = c->source_hash_size - 1,
	};
	for (size_t i = 0; i < m->n_pairs; i++) {
		const struct ctl_pair *p = &m->pairs[i];

		for (size_t k = 0; k < p->n_members; k++) {
			const struct dp_endpoint *at = &p->members[k].at;
			uint8_t slot =
				(uint8_t)ctl_numbers_slot_of(n, number[i], p->members[k].name);

			if (!at->port)
				continue;
			add_exact(&s, &at->ip, at->port, number[i], slot);
			add_exact(&s, &at->ip, 0, number[i], slot);
		}
	}
	c->n_exact_sources = s.n;
	for (size_t i = 0; i < m->n_pairs; i++) {
		for (size_t k = 0; k < m->pairs[i].n_sources; k++) {
			s.list[s.n++] = (struct dp_source){
				.ip = m->pairs[i].sources[k].ip,
				.prefix_len = m->pairs[i].sources[k].prefix_len,
				.slot = DP_PAIR_MEMBERS,
				.pair = number[i],
			};
		}
	}
	qsort(s.list + c->n_exact_sources, s.n - c->n_exact_sources, sizeof(*s.list),
	      longest_first);
	c->n_sources = s.n;
}

/* ---- Maglev
 * --------------------------------------------------------------------------------------------------
 */

static const struct dp_service *same_name(const struct dp_cfg *c, uint32_t key)
{
	const struct dp_service *s = dp_cfg_at(c, c->services);

	for (uint32_t i = 0; i < c->n_services; i++) {
		if (s[i].key == key)
			return s + i;
	}
	return NULL;
}

/** Whether a service of the old snapshot had the same pairs, by number, key and weight: then it had
 * the same table. */
static bool same_pairs(const struct dp_cfg *old, const struct dp_service *was,
		       const struct steer_maglev_entry *e, size_t n)
{
	const uint16_t *list = dp_cfg_at(old, was->pairs);

	if (was->n_pairs != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct dp_pair *p = dp_cfg_pair(old, list[i]);

		if (list[i] != e[i].value || !p || p->key != e[i].key || p->weight != e[i].weight)
			return false;
	}
	return true;
}

static void service_entries(struct ctl_block *b, const struct dp_service *s,
			    struct steer_maglev_entry *e)
{
	const struct dp_cfg *c = ctl_block_at(b, 0);
	const uint16_t *list = ctl_block_at(b, s->pairs);

	for (size_t i = 0; i < s->n_pairs; i++) {
		const struct dp_pair *p = dp_cfg_pair(c, list[i]);

		e[i] = (struct steer_maglev_entry){ .key = p->key,
						    .weight = p->weight,
						    .value = list[i] };
	}
}

static struct dp_service *service_at(struct ctl_block *b, size_t i)
{
	struct dp_cfg *c = ctl_block_at(b, 0);

	return (struct dp_service *)ctl_block_at(b, c->services) + i;
}

static void build_table(struct ctl_block *b, size_t i, const struct dp_cfg *old,
			struct steer_maglev_entry *e)
{
	size_t n = service_at(b, i)->n_pairs;
	const struct dp_service *was = old ? same_name(old, service_at(b, i)->key) : NULL;
	uint32_t size, off;

	service_entries(b, service_at(b, i), e);
	if (was && !same_pairs(old, was, e, n))
		was = NULL;
	size = was ? was->maglev_size : steer_maglev_size(e, n);
	off = ctl_block_array(b, size, sizeof(uint16_t));
	if (b->failed)
		return;
	service_at(b, i)->maglev = off;
	service_at(b, i)->maglev_size = size;
	if (was)
		memcpy(ctl_block_at(b, off), dp_cfg_at(old, was->maglev), size * sizeof(uint16_t));
	else if (steer_maglev_build(e, n, ctl_block_at(b, off), size) != 0)
		b->failed = true;
}

void ctl_build_maglev(struct ctl_block *b, const struct ctl_model *m, const struct dp_cfg *old)
{
	struct steer_maglev_entry *e = calloc(m->n_pairs ? m->n_pairs : 1, sizeof(*e));

	if (!e)
		b->failed = true;
	for (size_t i = 0; !b->failed && i < m->n_services; i++) {
		if (m->services[i].n_pairs)
			build_table(b, i, old, e);
	}
	free(e);
}
