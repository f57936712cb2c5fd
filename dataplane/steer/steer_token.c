/*
 * Tokens: fixed-length lower-case hex, written and read eight digits at a time. Owns nothing; pure.
 *
 * Reading collects faults in one word and looks at it once: a token is ours or it is not, and where
 * it fails does not matter.
 */
#include "dataplane/steer/steer_token.h"

#include <errno.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digits are stored as words");
_Static_assert(DP_MAX_WORKERS < STEER_NO_OWNER, "an owner is a worker's number or none");

#define EACH(byte) (0x0101010101010101ull * (byte))

/* "z9hG4bK" (RFC 3261 8.1.1.7), then what tells our branches from others'. */
static const char branch_prefix[9] = "z9hG4bKss";
static const char flow_prefix[2] = "ss";

#define FLAG_OUTWARD 0x10
#define FLAGS_KNOWN  0x1f

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 digits_of(bytes16 nibbles)
{
	return nibbles + '0' + ((bytes16)(nibbles > 9) & ('a' - '0' - 10));
}

/* Tokens are put together in registers, as numbers whose first digit is the highest one: what is
 * stored piece by piece and loaded whole has to wait until it has left the store buffer. */

static inline uint64_t pair_digits(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/* The 16 digits of a number. */
static inline void put16(char *out, uint64_t v)
{
	typedef uint64_t words2 __attribute__((vector_size(16)));
	bytes16 b = (bytes16)(words2){ __builtin_bswap64(v) }, high = b >> 4, low = b & 0x0f, text;

	text = digits_of(__builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
						 21, 6, 22, 7, 23));
	memcpy(out, &text, sizeof(text));
}

/* 32 of them. */
static inline void put32(char *out, uint64_t first, uint64_t second)
{
	put16(out, first);
	put16(out + 16, second);
}

/*
 * Eight digits into *v; *bad gets a bit when one of them is none. The sums of bytes below 0x80 stay
 * inside their bytes. Of the bytes that are not, the lowest gets no carry and is found to be
 * neither digit nor letter: with 0x50 or 0x1f more it loses its highest bit or is past the last one
 * too.
 */
static inline const uint8_t *get8(const uint8_t *p, uint32_t *v, uint64_t *bad)
{
	uint64_t x, from_0, past_9, from_a, past_f;

	memcpy(&x, p, 8);
	from_0 = x + EACH(0x80 - '0');
	past_9 = x + EACH(0x7f - '9');
	from_a = x + EACH(0x80 - 'a');
	past_f = x + EACH(0x7f - 'f');
	*bad |= ~((from_0 & ~past_9) | (from_a & ~past_f)) & EACH(0x80);
	x = (x & EACH(0x0f)) + (from_a >> 7 & EACH(1)) * 9;
	x = (x << 4 | x >> 8) & 0x00ff00ff00ff00ffull;
	x = (x | x >> 8) & 0x0000ffff0000ffffull;
	*v = __builtin_bswap32((uint32_t)(x | x >> 16));
	return p + 8;
}

static inline const uint8_t *get16(const uint8_t *p, uint64_t *v, uint64_t *bad)
{
	uint32_t hi, lo;

	p = get8(p, &hi, bad);
	p = get8(p, &lo, bad);
	*v = (uint64_t)hi << 32 | lo;
	return p;
}

/* Two or four digits, read with the 16 of the tag behind them: eight and eight more, overlapping.
 * v gets the value of the first eight. */
static inline const uint8_t *get_short_and_tag(const uint8_t *p, unsigned int digits, uint32_t *v,
					       uint64_t *tag, uint64_t *bad)
{
	get8(p, v, bad);
	*v >>= 32 - 4 * digits;
	return get16(p + digits, tag, bad);
}

static inline uint64_t pair32(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static inline uint32_t branch_flags(const struct steer_branch *b)
{
	return (b->attempt & 0x0fu) | (b->outward ? FLAG_OUTWARD : 0u);
}

uint64_t steer_branch_tag(const struct dp_secret *key, const struct steer_branch *b,
			  uint64_t transaction)
{
	const uint64_t words[] = {
		transaction,
		pair32(b->listener, b->member),
		pair32(b->loop, branch_flags(b)),
	};

	return steer_seal(key, STEER_DOMAIN_BRANCH, words, 3);
}

void steer_branch_write(const struct steer_branch *b, char *out)
{
	memcpy(out, branch_prefix, sizeof(branch_prefix));
	out += sizeof(branch_prefix);
	put32(out, pair_digits(b->listener, b->member),
	      pair_digits(b->loop, branch_flags(b) << 24 | (uint32_t)b->owner << 16));
	put16(out + 28, b->tag); /* from where the owner ends */
}

int steer_branch_read(const uint8_t *p, size_t len, struct steer_branch *b)
{
	struct steer_branch r;
	uint32_t flags_owner;
	uint64_t bad = 0;

	if (len != STEER_BRANCH_LEN || memcmp(p, branch_prefix, sizeof(branch_prefix)) != 0)
		return -EINVAL;
	p = get8(p + sizeof(branch_prefix), &r.listener, &bad);
	p = get8(p, &r.member, &bad);
	p = get8(p, &r.loop, &bad);
	get_short_and_tag(p, 4, &flags_owner, &r.tag, &bad);
	r.attempt = flags_owner >> 8 & 0x0f;
	r.outward = flags_owner >> 8 & FLAG_OUTWARD;
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
		steer_digest(key, STEER_DOMAIN_CALL, 0, &part, 1),
	};

	return steer_seal(key, STEER_DOMAIN_COOKIE, words, 3);
}

void steer_cookie_write(const struct steer_cookie *c, char *out)
{
	put32(out, pair_digits(c->pair, c->member),
	      pair_digits(c->listener, (uint32_t)c->direction << 24));
	put16(out + 26, c->tag); /* from where the direction ends */
}

int steer_cookie_read(const uint8_t *p, size_t len, struct steer_cookie *c)
{
	struct steer_cookie r;
	uint32_t direction;
	uint64_t bad = 0;

	if (len != STEER_COOKIE_LEN)
		return -EINVAL;
	p = get8(p, &r.pair, &bad);
	p = get8(p, &r.member, &bad);
	p = get8(p, &r.listener, &bad);
	get_short_and_tag(p, 2, &direction, &r.tag, &bad);
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
	put16(out, pair_digits(f->instance, f->listener));
	put32(out + 16, __builtin_bswap64(ip[0]), __builtin_bswap64(ip[1]));
	put16(out + 48, (uint64_t)f->port << 48);
	put16(out + 52, f->tag); /* from where the port ends */
}

int steer_flow_read(const uint8_t *p, size_t len, struct steer_flow *f)
{
	struct steer_flow r;
	uint32_t ip[4], port;
	uint64_t bad = 0;

	if (len != STEER_FLOW_LEN || memcmp(p, flow_prefix, sizeof(flow_prefix)) != 0)
		return -EINVAL;
	p = get8(p + sizeof(flow_prefix), &r.instance, &bad);
	p = get8(p, &r.listener, &bad);
	for (unsigned int i = 0; i < 4; i++) {
		p = get8(p, &ip[i], &bad);
		ip[i] = __builtin_bswap32(ip[i]);
	}
	get_short_and_tag(p, 4, &port, &r.tag, &bad);
	if (bad != 0)
		return -EINVAL;
	memcpy(r.ip.b, ip, sizeof(ip));
	r.port = (uint16_t)port;
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
