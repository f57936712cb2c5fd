/*
 * Prefixes of sources, and Maglev tables, of a configuration block.
 */
#include "control/snapshot/ctl_build.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_maglev.h"

/* ---- Prefixes
 * -------------------------------------------------------------------------------------------------
 */

static int longest_first(const void *a, const void *b)
{
	return ((const struct dp_source *)b)->prefix_len
	       - ((const struct dp_source *)a)->prefix_len;
}

static size_t count_prefixes(const struct ctl_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_pairs; i++)
		n += m->pairs[i].n_sources;
	return n;
}

void ctl_build_prefixes(struct ctl_block *b, const struct ctl_model *m, const uint16_t *number)
{
	size_t n = count_prefixes(m);
	uint32_t off = ctl_block_array(b, n, sizeof(struct dp_source));
	struct dp_source *list;
	struct dp_cfg *c;

	if (b->failed)
		return;
	c = ctl_block_at(b, 0);
	c->prefixes = off;
	c->n_prefixes = (uint32_t)n;
	list = ctl_block_at(b, off);
	for (size_t i = 0; i < m->n_pairs; i++) {
		for (size_t k = 0; k < m->pairs[i].n_sources; k++) {
			*list++ = (struct dp_source){
				.ip = m->pairs[i].sources[k].ip,
				.prefix_len = m->pairs[i].sources[k].prefix_len,
				.slot = DP_PAIR_MEMBERS,
				.pair = number[i],
			};
		}
	}
	qsort(ctl_block_at(b, off), n, sizeof(*list), longest_first);
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

		if (list[i] != e[i].value || !p || p->key != e[i].key
		    || dp_cfg_pair_info(old, list[i])->weight != e[i].weight)
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
						    .weight = dp_cfg_pair_info(c, list[i])->weight,
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
