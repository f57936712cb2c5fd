/*
 * The configuration half of a snapshot: listeners, services, pairs, members, keys. Flat,
 * position-independent, built whole by control, read by steering, never modified once published.
 * Offsets are bytes from the block's start.
 *
 * Pair numbers are stable across reloads and index both `pairs` and the region's pair words; a
 * member's slot is stable within its pair. Keys are made of names (dp_key()), so that cookies and
 * branches mean the same to every instance and after every reload.
 */
#pragma once

#include <string.h>

#include "dataplane/dp_region.h"
#include "sip/sip_uri.h"

enum dp_transport { DP_UDP, DP_TCP, DP_TLS };

/** An address and port; IPv4 as IPv4-mapped IPv6. */
struct dp_endpoint {
	struct sip_ip ip;
	uint16_t port; /* host order */
	uint8_t transport;
	uint8_t reserved[5];
};
_Static_assert(sizeof(struct dp_endpoint) == 24, "hashed and compared whole");

#define DP_IP_MAPPED 0xffff0000u /* bytes 8 to 11 of ::ffff:a.b.c.d */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "and as a word");

static inline bool dp_ip_is_v4(const struct sip_ip *ip)
{
	uint64_t zeros;
	uint32_t prefix;

	memcpy(&zeros, ip->b, sizeof(zeros));
	memcpy(&prefix, ip->b + 8, sizeof(prefix));
	return (zeros | (prefix ^ DP_IP_MAPPED)) == 0;
}

static inline bool dp_ip_equal(const struct sip_ip *a, const struct sip_ip *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->b, sizeof(x));
	memcpy(y, b->b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static inline bool dp_endpoint_equal(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	return dp_ip_equal(&a->ip, &b->ip) && a->port == b->port && a->transport == b->transport;
}

/** Whether an address lies in a prefix of `len` bits (of 128). */
bool dp_ip_in_prefix(const struct sip_ip *ip, const struct sip_ip *prefix, unsigned int len);

/** Text of an address without brackets (RFC 5952), NUL-terminated. @return its length; text has
 * room for 46 bytes. */
size_t dp_ip_format(const struct sip_ip *ip, char *text);

/** The text of a byte of an IPv4 address with a dot behind it, its first character in the lowest
 * byte, and above 32 bits the length of both. */
extern const uint64_t dp_octets[260];

/** dp_ip_format(), in line for IPv4, without the NUL: bytes behind the text may be written, within
 * its room. */
static inline size_t dp_ip_put(const struct sip_ip *ip, char *text)
{
	char *p = text;

	if (__builtin_expect(!dp_ip_is_v4(ip), 0))
		return dp_ip_format(ip, text);
	for (unsigned int i = 12; i < 16; i++) {
		uint64_t o = dp_octets[ip->b[i]];
		uint32_t digits = (uint32_t)o;

		memcpy(p, &digits, sizeof(digits));
		p += o >> 32;
	}
	return (size_t)(p - text) - 1;
}

/** @return 0, or -EINVAL when text is no IPv4 or IPv6 literal. */
int dp_ip_parse(const char *text, struct sip_ip *ip);

/** Multicast, IPv4 limited broadcast, or unspecified: nothing that may be answered. */
bool dp_ip_is_unanswerable(const struct sip_ip *ip);

/** Text in the snapshot's string area, not NUL-terminated. */
struct dp_text {
	uint32_t off;
	uint32_t len;
};

#define DP_NONE16 0xffff

enum dp_listener_flags {
	DP_LISTENER_CLIENT = 1, /* clients reach us here */
	DP_LISTENER_EGRESS = 2, /* an `egress:` address: only members may talk to it */
};

#define DP_PREPARED_SIZE 96 /* bytes of a prepared text: copied as a whole */

/** A local address and port of ours. What is prepared of it: dataplane/steer/steer_prepare.h. */
struct dp_listener {
	struct dp_endpoint at;
	uint32_t key;      /* of its endpoint's text */
	uint8_t flags;     /* enum dp_listener_flags */
	uint8_t dpdk_port; /* port that owns the address, index into boot.ports */
	uint16_t service; /* service number; for an egress listener the first service of its pair */
	struct dp_text
		hostport; /* "192.0.2.10:5060" or "[2001:db8::10]:5060", for Via and Record-Route */
	char digits[8];   /* of its key, hexadecimal */
	uint8_t via_len, route_len;
	uint8_t reserved[14];
	char via[DP_PREPARED_SIZE];   /* our Via up to its branch's prefix */
	char route[DP_PREPARED_SIZE]; /* our Record-Route up to its cookie */
};
_Static_assert(sizeof(struct dp_listener) == 4 * DP_CACHE_LINE, "lines of its own");

enum dp_select {
	DP_SELECT_AOR,
	DP_SELECT_CALL_ID,
	DP_SELECT_REQUEST_URI_USER,
	DP_SELECT_SOURCE_ADDRESS
};

/** Classes of what goes to the kernel, each with a limit of its own. */
enum dp_punt {
	DP_PUNT_NEIGHBOURS, /* ARP, neighbour and router discovery */
	DP_PUNT_PING,       /* other ICMP and ICMPv6 */
	DP_PUNT_ROUTING,    /* BGP, BFD, OSPF, IS-IS, RIP, PIM, VRRP */
	DP_PUNT_PROBES,     /* answers to control's own probes and questions: from members, DNS */
	DP_PUNT_REST,
	DP_PUNT_N
};

/** Addresses that may, or may not, reach a service. */
struct dp_access {
	struct sip_ip ip;
	uint8_t prefix_len; /* of 128 */
	uint8_t reserved[7];
};

struct dp_service {
	struct dp_text name;
	uint32_t key;
	uint8_t select;           /* enum dp_select */
	uint8_t path;             /* add Path to REGISTER */
	uint8_t trust_maddr;      /* follow maddr in a client's Via */
	uint8_t in_dialog_active; /* in-dialog: active */
	uint16_t map_503;       /* the code that stands for 503: 500 with several pairs, else 503 */
	uint16_t retry_after_s; /* middle of the jittered Retry-After, seconds */
	uint16_t listener4,
		listener6; /* default listener of each family, DP_NONE16 when there is none */
	uint16_t n_pairs;
	uint16_t reserved;
	uint32_t pairs;  /* u16[n_pairs]: pair numbers, ascending */
	uint32_t maglev; /* u16[maglev_size]: pair numbers; see dataplane/steer/steer_maglev.h */
	uint32_t maglev_size; /* a prime; 0 when n_pairs is 0 */
	uint32_t emergency; /* struct dp_text[n_emergency]: user parts that are emergency numbers */
	uint32_t n_emergency;
	uint32_t answers_per_s;  /* own answers a second to one source; 0: not limited */
	uint32_t max_message;    /* bytes; a longer request is answered 513 */
	uint32_t requests_per_s; /* of one source that is no member; 0: not limited */
	uint32_t access;         /* struct dp_access[n_allow + n_deny] */
	uint16_t n_allow;        /* 0: everybody */
	uint16_t n_deny;
	uint32_t names; /* struct dp_text[n_names]: host names by which clients call the service */
	uint32_t n_names;
};

enum dp_role { DP_ROLE_PRIMARY, DP_ROLE_BACKUP, DP_ROLE_FALLBACK };

/** A cache line. */
struct dp_member {
	struct dp_endpoint at;
	uint32_t key;
	uint32_t methods; /* bit per enum sip_method that a fallback may get; all ones otherwise */
	uint8_t valid;
	uint8_t role; /* enum dp_role */
	uint8_t slot;
	uint8_t reserved;
	struct dp_text name;
	char digits[16]; /* of its pair's key and its own, hexadecimal */
	uint8_t reserved1[4];
};
_Static_assert(sizeof(struct dp_member) == DP_CACHE_LINE, "one line of each");

#define DP_PAIR_SERVICES 8

enum dp_pair_flags {
	DP_PAIR_SHARES_TRANSACTIONS = 1, /* members know each other's open transactions */
	DP_PAIR_CONCURRENT = 2, /* REGISTERs are copied to the next member (registration) */
};

#define DP_PAIR_FIRST 2 /* slots that nearly every pair uses, and few use others */

/** What a message needs of a pair: this line, and that of one member. */
struct dp_pair {
	uint32_t key;
	uint8_t valid;
	uint8_t n_members;
	uint8_t n_services;
	uint8_t flags; /* enum dp_pair_flags */
	uint16_t services[DP_PAIR_SERVICES];
	uint16_t egress4, egress6; /* listener numbers, DP_NONE16: the service's listener */
	uint32_t failover_methods; /* bit per enum sip_method: those that fail over in flight */
	uint32_t signal_methods; /* bit per enum sip_method: those that a trial may be made with */
	uint32_t no_response_us; /* no-response-timeout */
	uint32_t more;           /* struct dp_member[n_more], bytes from here: slots DP_PAIR_FIRST
				    and up */
	uint8_t n_more;
	uint8_t retry_counts; /* the send that goes to the next member */
	uint8_t reserved[2];
	uint8_t order[DP_PAIR_MEMBERS]; /* slots by priority: primary, backup, fallbacks */
	struct dp_member first[DP_PAIR_FIRST];
};
_Static_assert(offsetof(struct dp_pair, first) == DP_CACHE_LINE, "one line");

/** What only control asks of a pair. */
struct dp_pair_info {
	struct dp_text name;
	uint32_t weight;
	uint32_t reserved;
};

extern const struct dp_member dp_member_none; /* not valid */

/** By slot, below DP_PAIR_MEMBERS; of one that nobody has, a member that is not valid. */
static inline const struct dp_member *dp_pair_member(const struct dp_pair *p, unsigned int slot)
{
	if (slot < DP_PAIR_FIRST)
		return &p->first[slot];
	if (slot - DP_PAIR_FIRST >= p->n_more)
		return &dp_member_none;
	return (const struct dp_member *)((const uint8_t *)p + p->more) + (slot - DP_PAIR_FIRST);
}

/** A prefix from which a pair's members may send requests (`sources:`), or a member's own address.
 */
struct dp_source {
	struct sip_ip ip;
	uint16_t port;      /* 0: any */
	uint8_t prefix_len; /* of 128, IPv4 counted behind the mapped prefix */
	uint8_t slot;       /* DP_PAIR_MEMBERS: the pair as a whole */
	uint16_t pair;
	uint16_t reserved;
};

/**
 * A bucket of a hash that is open addressing with linear probing and at most half full: 0 when
 * empty, else one more than what it stands for, and above that the hash's highest bits, so that
 * what it stands for is looked at only when it is likely to be right.
 */
#define DP_BUCKET_BITS 20
#define DP_BUCKET_MASK ((1u << DP_BUCKET_BITS) - 1)
_Static_assert(2 * DP_MAX_MEMBERS < DP_BUCKET_MASK, "room for sources and members");

static inline uint32_t dp_bucket(uint32_t hash, uint32_t value)
{
	return (hash & ~DP_BUCKET_MASK) | (value + 1);
}

static inline bool dp_bucket_may_be(uint32_t bucket, uint32_t hash)
{
	return (bucket ^ hash) >> DP_BUCKET_BITS == 0;
}

static inline uint32_t dp_bucket_value(uint32_t bucket)
{
	return (bucket & DP_BUCKET_MASK) - 1;
}

#define DP_MAX_KEYS     8
#define DP_DIGEST_WORDS 16
#define DP_SEAL_WORDS   6

/** Secret keys shared by all instances; [0] signs, all verify. */
struct dp_secret {
	uint8_t b[16];
	/* Made of b by steer_secret_spread(), for steer_seal() and steer_digest(). */
	uint8_t round[11 * 16];
	uint64_t digest[DP_DIGEST_WORDS + 1];
	uint64_t seal[DP_SEAL_WORDS];
};

struct dp_cfg {
	uint64_t size;
	uint64_t serial;                 /* of the configuration: one more at each reload */
	uint32_t n_listeners, listeners; /* struct dp_listener[] */
	uint32_t n_services, services;   /* struct dp_service[] */
	uint32_t n_pairs, pairs;         /* struct dp_pair[], by pair number, holes have valid 0 */
	uint32_t pair_info;              /* struct dp_pair_info[], likewise */
	uint32_t more, more_size; /* struct dp_member[]: pairs' slots that are not in `first` */
	uint32_t more_len;        /* used */
	uint32_t strings, strings_size, strings_len; /* bytes; len: used */
	uint32_t listener_hash, listener_hash_size;  /* u16[], open addressing by
							dp_endpoint_hash(), DP_NONE16 empty */
	/* Hashes of struct dp_bucket: exact sources, pairs by key, members by endpoint */
	uint32_t source_hash, source_hash_size;
	uint32_t pair_hash, pair_hash_size;
	uint32_t member_hash, member_hash_size;
	uint32_t n_members; /* in it */
	/* struct dp_source[]. Whoever has an exact one with a port has one with port 0 too. */
	uint32_t n_exact_sources, exact_sources, exact_sources_size;
	uint32_t n_prefixes, prefixes; /* longest first */
	uint32_t n_secrets;
	uint32_t instance; /* key of this instance's name */
	struct dp_secret secrets[DP_MAX_KEYS];
	/* Packets a second of a class that a worker passes from one port to the kernel; 0: not
	 * limited. */
	uint32_t punt_per_s[DP_PUNT_N];
};

/** Key of a name: the same on every machine. Two names of one kind that collide are a configuration
 * error. */
uint32_t dp_key(const char *name, size_t len);

/** Hash of an address; well mixed in all its 32 bits. */
static inline uint32_t dp_ip_hash(const struct sip_ip *ip)
{
	uint64_t w[2], h;

	memcpy(w, ip->b, sizeof(w));
	h = (w[0] * 0x9e3779b97f4a7c15ull ^ w[1]) * 0xff51afd7ed558ccdull;
	return (uint32_t)((h ^ h >> 32) * 0xc4ceb9fe1a85ec53ull >> 32);
}

/** From the hash of an address to that of its endpoint at a port and transport. Ports in a row lie
 * apart, in whatever low bits are used. */
static inline uint32_t dp_port_hash(uint32_t ip_hash, uint16_t port, uint8_t transport)
{
	return ip_hash + (port ^ (uint32_t)transport << 16) * 0x9e3779b1u;
}

static inline uint32_t dp_endpoint_hash(const struct dp_endpoint *e)
{
	return dp_port_hash(dp_ip_hash(&e->ip), e->port, e->transport);
}

static inline const void *dp_cfg_at(const struct dp_cfg *c, uint32_t off)
{
	return (const uint8_t *)c + off;
}

static inline const char *dp_cfg_text(const struct dp_cfg *c, struct dp_text t)
{
	return (const char *)dp_cfg_at(c, c->strings) + t.off;
}

/* All look-ups: O(1) unless said otherwise, borrowed from the snapshot, NULL when there is none.
 * Any thread. */
const struct dp_listener *dp_cfg_listener(const struct dp_cfg *c, unsigned int number);
const struct dp_listener *dp_cfg_listener_at(const struct dp_cfg *c, const struct dp_endpoint *e);
/** Linear in the number of listeners. */
const struct dp_listener *dp_cfg_listener_by_key(const struct dp_cfg *c, uint32_t key);
uint16_t dp_cfg_listener_number(const struct dp_cfg *c, const struct dp_listener *l);
const struct dp_service *dp_cfg_service(const struct dp_cfg *c, unsigned int number);
const struct dp_pair *dp_cfg_pair(const struct dp_cfg *c, unsigned int number);
uint16_t dp_cfg_pair_number(const struct dp_cfg *c, const struct dp_pair *p);
const struct dp_pair_info *dp_cfg_pair_info(const struct dp_cfg *c, unsigned int number);
const struct dp_pair *dp_cfg_pair_by_key(const struct dp_cfg *c, uint32_t key);
const struct dp_member *dp_pair_member_by_key(const struct dp_pair *p, uint32_t key);
/** The member that listens at an endpoint; *pair gets its pair's number. */
const struct dp_member *dp_cfg_member_at(const struct dp_cfg *c, const struct dp_endpoint *e,
					 uint16_t *pair);
bool dp_pair_serves(const struct dp_pair *p, unsigned int service);

/** dp_cfg_listener_at() after it has found `last`, of the same snapshot (NULL: none): quicker where
 * that one is meant again, as mostly. */
static inline const struct dp_listener *dp_cfg_listener_again(const struct dp_cfg *c,
							      const struct dp_listener *last,
							      const struct dp_endpoint *e)
{
	return last && dp_endpoint_equal(&last->at, e) ? last : dp_cfg_listener_at(c, e);
}

/** Whether dp_cfg_listener_at() may find one: quicker where there is none, as mostly. */
static inline bool dp_cfg_may_listen_at(const struct dp_cfg *c, const struct dp_endpoint *e)
{
	const uint16_t *bucket = (const uint16_t *)dp_cfg_at(c, c->listener_hash);

	return bucket[dp_endpoint_hash(e) & (c->listener_hash_size - 1)] != DP_NONE16;
}

/** Where what says whose an address and port are, or, by port 0, the address on any, is looked for
 * first. */
static inline const uint32_t *dp_cfg_source_bucket(const struct dp_cfg *c, uint32_t hash,
						   uint16_t port)
{
	const uint32_t *bucket = (const uint32_t *)dp_cfg_at(c, c->source_hash);

	return &bucket[dp_port_hash(hash, port, DP_UDP) & (c->source_hash_size - 1)];
}

/** Start bringing it in: for dp_cfg_source() that of port 0, for dp_cfg_source_likely() that of the
 * port. @param hash  The address's dp_ip_hash(). */
static inline void dp_cfg_prefetch_source(const struct dp_cfg *c, uint32_t hash, uint16_t port)
{
	__builtin_prefetch(dp_cfg_source_bucket(c, hash, port));
}

/** Start bringing a pair's lines, and its members', into the cache. */
static inline void dp_cfg_prefetch_pair(const struct dp_cfg *c, unsigned int number)
{
	const struct dp_pair *p = (const struct dp_pair *)dp_cfg_at(c, c->pairs) + number;

	__builtin_prefetch(p);
	for (unsigned int i = 0; i < DP_PAIR_FIRST; i++)
		__builtin_prefetch(&p->first[i]);
}

/**
 * Who a request's source is: the pair (and the member, when it is known exactly) that a source
 * address and port belong to. Exact endpoints first, then addresses with any port, then prefixes,
 * longest first (linear in their number).
 * @param hash  The address's dp_ip_hash().
 */
const struct dp_source *dp_cfg_source_known(const struct dp_cfg *c, const struct sip_ip *ip,
					    uint16_t port, uint32_t hash);

/** The same in line for most who send: nobody's members, of whom an empty bucket tells. */
static inline const struct dp_source *
dp_cfg_source_of(const struct dp_cfg *c, const struct sip_ip *ip, uint16_t port, uint32_t hash)
{
	if (*dp_cfg_source_bucket(c, hash, 0) == 0 && c->n_prefixes == 0)
		return NULL;
	return dp_cfg_source_known(c, ip, port, hash);
}

/** The same where the hash is not known. */
static inline const struct dp_source *dp_cfg_source(const struct dp_cfg *c, const struct sip_ip *ip,
						    uint16_t port)
{
	return dp_cfg_source_known(c, ip, port, dp_ip_hash(ip));
}

/** The same, quicker for a member that sends from an address and port of its own.
 * @param hash  The address's dp_ip_hash(). */
const struct dp_source *dp_cfg_source_likely(const struct dp_cfg *c, const struct sip_ip *ip,
					     uint16_t port, uint32_t hash);
