/*
 * Look-ups in a snapshot's configuration half. Read only; any thread that holds the snapshot.
 *
 * The hash tables are open addressing with linear probing and at most half full, so that every
 * probe ends.
 */
#include "dataplane/dp_cfg.h"

#include <string.h>

const struct dp_member dp_member_none;

const struct dp_listener *dp_cfg_listener(const struct dp_cfg *c, unsigned int number)
{
	const struct dp_listener *l = dp_cfg_at(c, c->listeners);

	return number < c->n_listeners ? l + number : NULL;
}

uint16_t dp_cfg_listener_number(const struct dp_cfg *c, const struct dp_listener *l)
{
	return (uint16_t)(l - (const struct dp_listener *)dp_cfg_at(c, c->listeners));
}

const struct dp_listener *dp_cfg_listener_at(const struct dp_cfg *c, const struct dp_endpoint *e)
{
	const uint16_t *bucket = dp_cfg_at(c, c->listener_hash);
	const struct dp_listener *l = dp_cfg_at(c, c->listeners);
	uint32_t mask = c->listener_hash_size - 1;

	for (uint32_t i = dp_endpoint_hash(e) & mask; bucket[i] != DP_NONE16; i = (i + 1) & mask) {
		if (dp_endpoint_equal(&l[bucket[i]].at, e))
			return l + bucket[i];
	}
	return NULL;
}

const struct dp_listener *dp_cfg_listener_by_key(const struct dp_cfg *c, uint32_t key)
{
	const struct dp_listener *l = dp_cfg_at(c, c->listeners);

	for (uint32_t i = 0; i < c->n_listeners; i++) {
		if (l[i].key == key)
			return l + i;
	}
	return NULL;
}

const struct dp_service *dp_cfg_service(const struct dp_cfg *c, unsigned int number)
{
	const struct dp_service *s = dp_cfg_at(c, c->services);

	return number < c->n_services ? s + number : NULL;
}

const struct dp_pair *dp_cfg_pair(const struct dp_cfg *c, unsigned int number)
{
	const struct dp_pair *p = dp_cfg_at(c, c->pairs);

	return number < c->n_pairs && p[number].valid ? p + number : NULL;
}

uint16_t dp_cfg_pair_number(const struct dp_cfg *c, const struct dp_pair *p)
{
	return (uint16_t)(p - (const struct dp_pair *)dp_cfg_at(c, c->pairs));
}

const struct dp_pair_info *dp_cfg_pair_info(const struct dp_cfg *c, unsigned int number)
{
	return (const struct dp_pair_info *)dp_cfg_at(c, c->pair_info) + number;
}

const struct dp_pair *dp_cfg_pair_by_key(const struct dp_cfg *c, uint32_t key)
{
	const uint32_t *bucket = dp_cfg_at(c, c->pair_hash);
	const struct dp_pair *p = dp_cfg_at(c, c->pairs);
	uint32_t mask = c->pair_hash_size - 1;

	for (uint32_t i = key & mask; bucket[i]; i = (i + 1) & mask) {
		const struct dp_pair *at = p + dp_bucket_value(bucket[i]);

		if (dp_bucket_may_be(bucket[i], key) && at->key == key)
			return at;
	}
	return NULL;
}

const struct dp_member *dp_pair_member_by_key(const struct dp_pair *p, uint32_t key)
{
	for (unsigned int i = 0; i < p->n_members; i++) {
		const struct dp_member *m = dp_pair_member(p, p->order[i]);

		if (m->key == key)
			return m;
	}
	return NULL;
}

const struct dp_member *dp_cfg_member_at(const struct dp_cfg *c, const struct dp_endpoint *e,
					 uint16_t *pair)
{
	const uint32_t *bucket = dp_cfg_at(c, c->member_hash);
	const struct dp_pair *p = dp_cfg_at(c, c->pairs);
	uint32_t mask = c->member_hash_size - 1, hash = dp_endpoint_hash(e);

	for (uint32_t i = hash & mask; bucket[i]; i = (i + 1) & mask) {
		uint32_t number = dp_bucket_value(bucket[i]);
		const struct dp_member *m;

		if (!dp_bucket_may_be(bucket[i], hash))
			continue;
		m = dp_pair_member(&p[number / DP_PAIR_MEMBERS], number % DP_PAIR_MEMBERS);
		if (dp_endpoint_equal(&m->at, e)) {
			*pair = (uint16_t)(number / DP_PAIR_MEMBERS);
			return m;
		}
	}
	return NULL;
}

bool dp_pair_serves(const struct dp_pair *p, unsigned int service)
{
	for (unsigned int i = 0; i < p->n_services; i++) {
		if (p->services[i] == service)
			return true;
	}
	return false;
}

static inline const struct dp_source *exact_source(const struct dp_cfg *c, const struct sip_ip *ip,
						   uint16_t port, uint32_t hash)
{
	const struct dp_source *s = dp_cfg_at(c, c->exact_sources);
	const uint32_t *bucket = dp_cfg_at(c, c->source_hash);
	uint32_t mask = c->source_hash_size - 1;

	hash = dp_port_hash(hash, port, DP_UDP);
	for (uint32_t i = hash & mask; bucket[i]; i = (i + 1) & mask) {
		const struct dp_source *at = s + dp_bucket_value(bucket[i]);

		if (dp_bucket_may_be(bucket[i], hash) && at->port == port
		    && dp_ip_equal(&at->ip, ip))
			return at;
	}
	return NULL;
}

const struct dp_source *dp_cfg_source_likely(const struct dp_cfg *c, const struct sip_ip *ip,
					     uint16_t port, uint32_t hash)
{
	const struct dp_source *s = exact_source(c, ip, port, hash);

	return s ? s : dp_cfg_source_known(c, ip, port, hash);
}

bool dp_ip_in_prefix(const struct sip_ip *ip, const struct sip_ip *prefix, unsigned int len)
{
	unsigned int whole = len / 8, rest = len % 8;

	if (memcmp(ip->b, prefix->b, whole) != 0)
		return false;
	return rest == 0 || ((ip->b[whole] ^ prefix->b[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

const struct dp_source *dp_cfg_source_known(const struct dp_cfg *c, const struct sip_ip *ip,
					    uint16_t port, uint32_t hash)
{
	const struct dp_source *any = exact_source(c, ip, 0, hash), *s;

	/* Most who send are nobody's member: one look tells. */
	if (any) {
		s = exact_source(c, ip, port, hash);
		return s ? s : any;
	}
	s = dp_cfg_at(c, c->prefixes);
	for (uint32_t i = 0; i < c->n_prefixes; i++) {
		if (dp_ip_in_prefix(ip, &s[i].ip, s[i].prefix_len)
		    && (s[i].port == 0 || s[i].port == port))
			return s + i;
	}
	return NULL;
}
