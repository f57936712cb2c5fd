/*
 * Tokens: fixed-length lower-case hex, written and read eight digits at a time. Owns nothing; pure.
 *
 * Reading collects faults in one word and looks at it once: a token is ours or it is not, and where
 * it fails does not matter.
 */
#include "dataplane/steer/steer_token.h"

#include <errno.h>
#include <string.h>

_Static_assert(DP_MAX_WORKERS < STEER_NO_OWNER, "an owner is a worker's number or none");

/* "z9hG4bK" (RFC 3261 8.1.1.7), then what tells our branches from others'. */
static const char branch_prefix[9] = "z9hG4bKss";
static const char flow_prefix[2] = "ss";

#define FLAGS_KNOWN 0x1f

static inline uint64_t pair_digits(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

static inline uint64_t pair32(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

uint64_t steer_branch_tag(const struct dp_secret *key, const struct steer_branch *b,
			  uint64_t transaction)
{
	const uint64_t words[] = {
		transaction,
		pair32(b->listener, b->member),
		pair32(b->loop, steer_branch_flags(b)),
	};

	return steer_seal(key, STEER_DOMAIN_BRANCH, words, 3);
}

void steer_branch_write(const struct steer_branch *b, char *out)
{
	memcpy(out, branch_prefix, sizeof(branch_prefix));
	out += sizeof(branch_prefix);
	steer_hex_put2(
		out, pair_digits(b->listener, b->member),
		pair_digits(b->loop, steer_branch_flags(b) << 24 | (uint32_t)b->owner << 16));
	steer_hex_put(out + 28, b->tag); /* from where the owner ends */
}

int steer_branch_read(const uint8_t *p, size_t len, struct steer_branch *b)
{
	struct steer_branch r;
	uint32_t flags_owner;
	uint64_t keys, loop, bad = 0;

	if (len != STEER_BRANCH_LEN || memcmp(p, branch_prefix, sizeof(branch_prefix)) != 0)
		return -EINVAL;
	p += sizeof(branch_prefix);
	keys = steer_hex_get(p, &bad);
	loop = steer_hex_get(p + 16, &bad); /* flags, owner and the tag's first digits behind it */
	flags_owner = (uint32_t)loop >> 16;
	r.tag = steer_hex_get(p + 28, &bad);
	r.listener = (uint32_t)(keys >> 32);
	r.member = (uint32_t)keys;
	r.loop = (uint32_t)(loop >> 32);
	r.attempt = flags_owner >> 8 & 0x0f;
	r.outward = flags_owner >> 8 & STEER_FLAG_OUTWARD;
	r.owner = flags_owner & 0xff;
	if (bad != 0 || flags_owner >> 8 > FLAGS_KNOWN
	    || (r.owner >= DP_MAX_WORKERS && r.owner != STEER_NO_OWNER))
		return -EINVAL;
	*b = r;
	return 0;
}

uint64_t steer_cookie_tag(const struct dp_secret *key, const struct steer_cookie *c,
			  const uint8_t *call_id, size_t len)
{
	struct steer_part part = { call_id, len };
	const uint64_t words[] = {
		pair32(c->pair, c->member),
		pair32(c->listener, c->direction),
		steer_digest1(key, STEER_DOMAIN_CALL, 0, part),
	};

	return steer_seal(key, STEER_DOMAIN_COOKIE, words, 3);
}

void steer_tag_both(const struct dp_secret *key, struct steer_branch *b, uint64_t transaction,
		    struct steer_cookie *c, const uint8_t *call_id, size_t len)
{
	struct steer_part part = { call_id, len };
	const uint64_t branch[] = {
		transaction,
		pair32(b->listener, b->member),
		pair32(b->loop, steer_branch_flags(b)),
	};
	const uint64_t cookie[] = {
		pair32(c->pair, c->member),
		pair32(c->listener, c->direction),
		steer_digest1(key, STEER_DOMAIN_CALL, 0, part),
	};
	struct steer_aes_two tags =
		steer_seal_two(key, STEER_DOMAIN_BRANCH, branch, STEER_DOMAIN_COOKIE, cookie);

	b->tag = tags.first;
	c->tag = tags.second;
}

void steer_cookie_write(const struct steer_cookie *c, char *out)
{
	steer_hex_put2(out, pair_digits(c->pair, c->member),
		       pair_digits(c->listener, (uint32_t)c->direction << 24));
	steer_hex_put(out + 26, c->tag); /* from where the direction ends */
}

int steer_cookie_read(const uint8_t *p, size_t len, struct steer_cookie *c)
{
	struct steer_cookie r;
	uint64_t keys, listener, bad = 0;
	uint32_t direction;

	if (len != STEER_COOKIE_LEN)
		return -EINVAL;
	keys = steer_hex_get(p, &bad);
	listener = steer_hex_get(p + 16, &bad); /* direction and the tag's first digits behind it */
	direction = (uint32_t)listener >> 24;
	r.tag = steer_hex_get(p + 26, &bad);
	r.pair = (uint32_t)(keys >> 32);
	r.member = (uint32_t)keys;
	r.listener = (uint32_t)(listener >> 32);
	if (bad != 0 || direction > STEER_OUTWARD)
		return -EINVAL;
	r.direction = (uint8_t)direction;
	*c = r;
	return 0;
}

bool steer_cookie_valid(const struct dp_cfg *cfg, const struct steer_cookie *c,
			const uint8_t *call_id, size_t len)
{
	for (uint32_t i = 0; i < cfg->n_secrets; i++)
		if (steer_cookie_tag(&cfg->secrets[i], c, call_id, len) == c->tag)
			return true;
	return false;
}

uint64_t steer_flow_tag(const struct dp_secret *key, const struct steer_flow *f)
{
	uint64_t words[4] = { pair32(f->instance, f->listener), 0, 0, f->port };

	memcpy(&words[1], f->ip.b, sizeof(f->ip.b));
	return steer_seal(key, STEER_DOMAIN_FLOW, words, 4);
}

void steer_flow_write(const struct steer_flow *f, char *out)
{
	uint64_t ip[2];

	memcpy(ip, f->ip.b, sizeof(ip));
	memcpy(out, flow_prefix, sizeof(flow_prefix));
	out += sizeof(flow_prefix);
	steer_hex_put(out, pair_digits(f->instance, f->listener));
	steer_hex_put2(out + 16, __builtin_bswap64(ip[0]), __builtin_bswap64(ip[1]));
	steer_hex_put(out + 48, (uint64_t)f->port << 48);
	steer_hex_put(out + 52, f->tag); /* from where the port ends */
}

int steer_flow_read(const uint8_t *p, size_t len, struct steer_flow *f)
{
	struct steer_flow r;
	uint64_t keys, ip[2], bad = 0;

	if (len != STEER_FLOW_LEN || memcmp(p, flow_prefix, sizeof(flow_prefix)) != 0)
		return -EINVAL;
	p += sizeof(flow_prefix);
	keys = steer_hex_get(p, &bad);
	ip[0] = __builtin_bswap64(steer_hex_get(p + 16, &bad));
	ip[1] = __builtin_bswap64(steer_hex_get(p + 32, &bad));
	r.port = (uint16_t)(steer_hex_get(p + 48, &bad)
			    >> 48); /* the tag's first digits behind it */
	r.tag = steer_hex_get(p + 52, &bad);
	r.instance = (uint32_t)(keys >> 32);
	r.listener = (uint32_t)keys;
	if (bad != 0)
		return -EINVAL;
	memcpy(r.ip.b, ip, sizeof(ip));
	*f = r;
	return 0;
}

bool steer_flow_valid(const struct dp_cfg *cfg, const struct steer_flow *f)
{
	for (uint32_t i = 0; i < cfg->n_secrets; i++)
		if (steer_flow_tag(&cfg->secrets[i], f) == f->tag)
			return true;
	return false;
}
