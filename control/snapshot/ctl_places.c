/*
 * Look-ups by address. What is taken out of a hash leaves no mark: those behind it move up, so that
 * a table that was changed for years is as quick as a new one.
 */
#include "control/snapshot/ctl_places.h"

uint32_t ctl_pow2_at_least(size_t n)
{
	uint32_t size = 8;

	while (size < n)
		size *= 2;
	return size;
}

struct ctl_places_size ctl_places_size(size_t n_members)
{
	size_t n = n_members + n_members / 8 + 32;

	return (struct ctl_places_size){ .sources = (uint32_t)(2 * n),
					 .source_hash = ctl_pow2_at_least(4 * n),
					 .member_hash = ctl_pow2_at_least(2 * n) };
}

void ctl_bucket_put(uint32_t *bucket, uint32_t size, uint32_t hash, uint32_t value)
{
	uint32_t i = hash & (size - 1);

	while (bucket[i])
		i = (i + 1) & (size - 1);
	bucket[i] = dp_bucket(hash, value);
}

typedef uint32_t (*hash_fn)(const struct dp_cfg *c, uint32_t value);

/* Empty bucket i, and move up what would not be found any more. */
static void take_out(const struct dp_cfg *c, uint32_t *bucket, uint32_t size, uint32_t i,
		     hash_fn hash)
{
	uint32_t mask = size - 1;

	for (uint32_t k = (i + 1) & mask; bucket[k]; k = (k + 1) & mask) {
		uint32_t home = hash(c, dp_bucket_value(bucket[k])) & mask;

		if (((k - home) & mask) >= ((k - i) & mask)) {
			bucket[i] = bucket[k];
			i = k;
		}
	}
	bucket[i] = 0;
}

/* ---- Sources */

static struct dp_source *sources(struct dp_cfg *c)
{
	return (struct dp_source *)((uint8_t *)c + c->exact_sources);
}

static uint32_t *source_buckets(struct dp_cfg *c)
{
	return (uint32_t *)((uint8_t *)c + c->source_hash);
}

static uint32_t hash_of(const struct sip_ip *ip, uint16_t port)
{
	const struct dp_endpoint e = { .ip = *ip, .port = port };

	return dp_endpoint_hash(&e);
}

static uint32_t source_hash(const struct dp_cfg *c, uint32_t value)
{
	const struct dp_source *s =
		(const struct dp_source *)dp_cfg_at(c, c->exact_sources) + value;

	return hash_of(&s->ip, s->port);
}

/* The bucket of a source, or the empty one where it would be. */
static uint32_t find_source(struct dp_cfg *c, const struct sip_ip *ip, uint16_t port)
{
	const uint32_t *bucket = source_buckets(c);
	const struct dp_source *list = sources(c);
	uint32_t mask = c->source_hash_size - 1, hash = hash_of(ip, port), i = hash & mask;

	for (; bucket[i]; i = (i + 1) & mask) {
		const struct dp_source *at = &list[dp_bucket_value(bucket[i])];

		if (dp_bucket_may_be(bucket[i], hash) && at->port == port
		    && dp_ip_equal(&at->ip, ip))
			break;
	}
	return i;
}

bool ctl_places_add_source(struct dp_cfg *c, const struct sip_ip *ip, uint16_t port, uint16_t pair,
			   uint8_t slot)
{
	uint32_t i = find_source(c, ip, port), *bucket = &source_buckets(c)[i];
	struct dp_source *list = sources(c);

	if (*bucket) {
		struct dp_source *at = &list[dp_bucket_value(*bucket)];

		if (at->pair == pair && at->slot != slot)
			at->slot = DP_PAIR_MEMBERS;
		return true;
	}
	if (c->n_exact_sources == c->exact_sources_size)
		return false;
	*bucket = dp_bucket(hash_of(ip, port), c->n_exact_sources);
	list[c->n_exact_sources++] = (struct dp_source){
		.ip = *ip, .port = port, .prefix_len = 128, .slot = slot, .pair = pair
	};
	return true;
}

void ctl_places_remove_source(struct dp_cfg *c, const struct sip_ip *ip, uint16_t port)
{
	uint32_t *bucket = source_buckets(c), i = find_source(c, ip, port), last, value;
	struct dp_source *list = sources(c);

	if (!bucket[i])
		return;
	value = dp_bucket_value(bucket[i]);
	take_out(c, bucket, c->source_hash_size, i, source_hash);
	/* The last one takes its row. */
	last = --c->n_exact_sources;
	if (value != last) {
		i = find_source(c, &list[last].ip, list[last].port);
		bucket[i] = dp_bucket(hash_of(&list[last].ip, list[last].port), value);
		list[value] = list[last];
	}
	list[last] = (struct dp_source){ 0 };
}

/* ---- Members */

static const struct dp_endpoint *place_of(const struct dp_cfg *c, uint32_t number)
{
	const struct dp_pair *p = dp_cfg_at(c, c->pairs);

	return &dp_pair_member(&p[number / DP_PAIR_MEMBERS], number % DP_PAIR_MEMBERS)->at;
}

static uint32_t member_hash(const struct dp_cfg *c, uint32_t value)
{
	return dp_endpoint_hash(place_of(c, value));
}

bool ctl_places_add_member(struct dp_cfg *c, const struct dp_endpoint *at, uint32_t number)
{
	if (2 * (c->n_members + 1) > c->member_hash_size)
		return false;
	ctl_bucket_put((uint32_t *)((uint8_t *)c + c->member_hash), c->member_hash_size,
		       dp_endpoint_hash(at), number);
	c->n_members++;
	return true;
}

void ctl_places_remove_members(struct dp_cfg *c, const struct dp_endpoint *at)
{
	uint32_t *bucket = (uint32_t *)((uint8_t *)c + c->member_hash);
	uint32_t mask = c->member_hash_size - 1, i = dp_endpoint_hash(at) & mask;

	while (bucket[i]) {
		if (memcmp(place_of(c, dp_bucket_value(bucket[i])), at, sizeof(*at)) == 0) {
			take_out(c, bucket, c->member_hash_size, i, member_hash);
			c->n_members--;
		} else {
			i = (i + 1) & mask;
		}
	}
}
