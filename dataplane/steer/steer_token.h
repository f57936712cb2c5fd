/*
 * Tokens that we write into messages and read back: the branch of our Via, the cookie in our
 * Record-Route and Path URIs, the flow token in Path. Fixed-length lower-case hex behind a prefix,
 * each with a keyed tag. Pure; any thread.
 *
 * They name listeners, pairs and members by key (dp_key() of the name), never by position.
 */
#pragma once

#include <string.h>

#include "dataplane/steer/steer_hex.h"
#include "dataplane/steer/steer_mac.h"

#define STEER_NO_OWNER 0xff

/** What our Via's branch says (RFC 3261 16.6 item 8, 16.11). */
struct steer_branch {
	uint32_t listener; /* key of the listener on which the request came in: responses leave from
			      it */
	uint32_t member;   /* key of the member that the request was sent to, or came from when
			      outward */
	uint32_t loop;     /* hash of the routing-relevant fields as received */
	uint8_t attempt;   /* 0 to 15; 0 without a record */
	uint8_t owner;     /* worker that holds the record, or STEER_NO_OWNER */
	bool outward;      /* from a member to a client */
	uint64_t tag;      /* steer_branch_tag() */
};

#define STEER_BRANCH_LEN \
	(7 + 2 + 8 + 8 + 8 + 2 + 2 + 16) /* "z9hG4bK" "ss" listener member loop flags owner tag */
#define STEER_BRANCH_REST_LEN (8 + 2 + 2 + 16) /* loop flags owner tag */

#define STEER_FLAG_OUTWARD 0x10

static inline uint32_t steer_branch_flags(const struct steer_branch *b)
{
	return (b->attempt & 0x0fu) | (b->outward ? STEER_FLAG_OUTWARD : 0u);
}

/**
 * The tag: keyed over the client transaction and every other field of the branch but the owner.
 * @param transaction  steer_digest() of the client's transaction in STEER_DOMAIN_TRANSACTION.
 */
uint64_t steer_branch_tag(const struct dp_secret *key, const struct steer_branch *b,
			  uint64_t transaction);

/** Write STEER_BRANCH_LEN bytes, no NUL. */
void steer_branch_write(const struct steer_branch *b, char *out);

/** What is behind the digits of a branch's keys. @return where it ends; four bytes more are
 * written.
 */
static inline char *steer_branch_put_rest(const struct steer_branch *b, char *out)
{
	steer_hex_put2(out,
		       (uint64_t)b->loop << 32 | steer_branch_flags(b) << 24
			       | (uint32_t)b->owner << 16 | b->tag >> 48,
		       b->tag << 16);
	return out + STEER_BRANCH_REST_LEN;
}

/** Read one back. @return 0, or -EINVAL when it does not have our form (it is then somebody
 * else's). */
int steer_branch_read(const uint8_t *p, size_t len, struct steer_branch *b);

/** Which side the dialog was formed from. */
enum steer_direction {
	STEER_INWARD = 0,  /* a client's request to a member */
	STEER_OUTWARD = 1, /* a member's request to a client */
};

/** What our Record-Route parameter ";ss=" says. */
struct steer_cookie {
	uint32_t pair;
	uint32_t member;
	uint32_t listener; /* on the other side of this Record-Route entry's: where requests leave
			      from */
	uint8_t direction; /* enum steer_direction */
	uint64_t tag;
};

#define STEER_COOKIE_LEN      (8 + 8 + 8 + 2 + 16)
#define STEER_COOKIE_REST_LEN (2 + 16) /* direction tag */

/** Tag over all fields and the Call-ID, so that a cookie replayed in another call is a forgery. */
uint64_t steer_cookie_tag(const struct dp_secret *key, const struct steer_cookie *c,
			  const uint8_t *call_id, size_t len);

/** The tags of a branch and a cookie of one message, both under one key. */
void steer_tag_both(const struct dp_secret *key, struct steer_branch *b, uint64_t transaction,
		    struct steer_cookie *c, const uint8_t *call_id, size_t len);

void steer_cookie_write(const struct steer_cookie *c, char *out);

/** What is behind the digits of a cookie's keys. @return where it ends. */
static inline char *steer_cookie_put_rest(const struct steer_cookie *c, char *out)
{
	const uint16_t direction = (uint16_t)('0' | ('0' + c->direction) << 8);

	memcpy(out, &direction, sizeof(direction));
	steer_hex_put(out + 2, c->tag);
	return out + STEER_COOKIE_REST_LEN;
}

int steer_cookie_read(const uint8_t *p, size_t len, struct steer_cookie *c);

/** Whether the cookie's tag is right under any of the keys. */
bool steer_cookie_valid(const struct dp_cfg *cfg, const struct steer_cookie *c,
			const uint8_t *call_id, size_t len);

/** The flow token in the user part of our Path URI (RFC 3327, in the manner of RFC 5626 5.2). */
struct steer_flow {
	uint32_t instance; /* key of the instance that wrote it */
	uint32_t listener; /* the socket that the phone used */
	struct sip_ip ip;  /* the phone's source address */
	uint16_t port;
	uint64_t tag;
};

#define STEER_FLOW_LEN (2 + 8 + 8 + 32 + 4 + 16) /* "ss" ... */

uint64_t steer_flow_tag(const struct dp_secret *key, const struct steer_flow *f);
void steer_flow_write(const struct steer_flow *f, char *out);
int steer_flow_read(const uint8_t *p, size_t len, struct steer_flow *f);
bool steer_flow_valid(const struct dp_cfg *cfg, const struct steer_flow *f);
