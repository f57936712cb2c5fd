/*
 * What steering's own files share: the state of one worker, the context of one message, and the
 * steps that a message goes through. Not for users of steer.h.
 *
 * A message goes: steer.c (dispatch) -> steer_request.c (checks) -> steer_inward.c or
 * steer_outward.c (where to) -> steer_forward.c (edits); or -> steer_response.c; or ->
 * steer_answer.c, steer_stun.c (answers of our own). Functions that return bool and take the
 * context return false when they have decided the message themselves: the verdict is then complete.
 */
#pragma once

#include <string.h>

#include "dataplane/dp_region.h"
#include "dataplane/steer/steer.h"
#include "dataplane/steer/steer_limit.h"
#include "dataplane/steer/steer_peer.h"
#include "dataplane/steer/steer_record.h"
#include "dataplane/steer/steer_store.h"
#include "dataplane/steer/steer_token.h"
#include "dataplane/steer/steer_zero.h"

#define STEER_NO_MEMBER UINT32_MAX

#define STEER_T1_US      500000u                /* RFC 3261 17.1.1.1 */
#define STEER_T2_US      4000000u               /* 17.1.2.2 */
#define STEER_T1_64_US   (32ull * 1000 * 1000)  /* 64*T1, RFC 3261 17.1.1.1 */
#define STEER_TIMER_C_US (181ull * 1000 * 1000) /* more than 3 minutes, RFC 3261 16.6 item 11 */
/* A record outlives its flight, whose end is noticed some milliseconds late. */
#define STEER_HOLD_SLACK_US (2ull * 1000 * 1000)
#define STEER_HOLD_MAX_US   (STEER_TIMER_C_US + STEER_T1_64_US + STEER_HOLD_SLACK_US)
#define STEER_CHALLENGE_US  (10ull * 1000 * 1000)

#define STEER_SIP_PORT 5060 /* RFC 3261 19.1.2 */

/* Bytes of UDP payload that fit an IPv4 datagram. */
#define STEER_DATAGRAM_MAX (65535 - 20 - 8)

/* Where a scan of the flights stands: all that lie on members that are down, or whose stream has
 * failed, are looked for, a few at a time. */
struct steer_scan {
	uint64_t downs; /* word_downs as last seen */
	uint64_t at_us; /* last looked */
	uint32_t next;  /* flight */
	uint32_t left;  /* to be looked at */
	uint32_t pace;  /* at most so many are sent at a time */
	uint32_t n_streams;
	uint32_t streams[8]; /* members whose stream has failed */
};

struct steer_replay; /* steer_replay.c */

struct steer {
	struct steer_params p;
	const struct dp_cfg *cfg;
	uint64_t now_us;
	uint64_t random;                  /* state of steer_random() */
	struct steer_records *records;    /* NULL: none are kept */
	struct steer_records *challenges; /* NULL: none are kept */
	struct steer_limits *limits;      /* of own answers */
	struct steer_limits *requests;    /* of clients' requests */
	struct steer_peer *peers;         /* DP_MAX_MEMBERS; NULL: nothing is in flight here */
	struct steer_store *store;        /* NULL: no copies are kept */
	struct steer_replay *replay;      /* with a store */
	struct steer_scan scan;
	uint64_t hint_us; /* last unproven ICMP error that was passed on */
	struct sip_msg msg;
	const struct sip_msg *last; /* the message that was decided about last */
};

/** What the Route header says once our own values are taken off (RFC 3261 16.4, 16.6 item 6). */
struct steer_routes {
	unsigned int n_own;   /* Route values of ours, on top: they are popped */
	unsigned int n_lines; /* of these, on top, each alone on its line */
	bool strict;          /* the Request-URI was ours: the last Route value replaces it */
	bool next_own;        /* the next value is ours too, but of another service */
	const struct sip_hdr *last_hdr; /* with strict: where the last value stands */
	bool has_next;                  /* a value is left */
	bool next_lr;                   /* and it is a loose router's */

	/* What our own values say. Each pass of the dialog-forming request through us left one or
	 * two values with one cookie: a crossing from clients to members or back. */
	unsigned int n_crossings;
	bool first_outward;             /* what the cookie of the first one says */
	bool outward;                   /* the cookie of one of them says outward */
	const struct dp_pair *pair;     /* that the cookie of the last crossing names */
	const struct dp_member *member; /* that it names; NULL: gone from the configuration */
	bool has_flow;                  /* the last crossing, or a Path value, names a client */

	/* Not set unless the above says so. */
	struct steer_cookie cookie; /* of the last crossing, its first value */
	struct steer_flow flow;
	struct sip_uri next;
	struct sip_addr last; /* with strict */
};

/** One transaction, as its client names it (RFC 3261 17.2.3, 16.11). */
struct steer_transaction {
	const struct dp_secret *secret; /* under which the following are */
	uint64_t mac;
	uint32_t loop;               /* hash of the routing-relevant fields */
	struct steer_record *record; /* NULL: none */
	bool taken; /* the key has a record, but of a request that this one does not belong to */
};

/** A branch that a message is made for anew. */
struct steer_way {
	uint32_t member;
	uint32_t listener; /* key of the one that it was sent from, 0: not yet */
	uint8_t attempt;
};

/** Context of one message. */
struct steer_ctx {
	struct steer *s;
	const struct dp_cfg *cfg;
	const struct steer_in *in;
	struct steer_verdict *v;
	const struct sip_msg *m;
	const struct dp_service *service; /* of the listener */
	const struct dp_source *source;   /* the member or pair that sent it; NULL: a client */
	const uint16_t *slot;             /* steer_select_early()'s; NULL: not looked for */
	bool has_routes;  /* `routes` has been filled: without, there is no Route, no parameter */
	bool strip_maddr; /* it names us by maddr, which is stripped (RFC 3261 16.4) */
	bool in_dialog;
	bool came_back; /* it went the other way with the same Request-URI and Route */
	struct steer_transaction t;
	const struct steer_way *way; /* a copy is made anew, for this branch; NULL: as received */
	bool owed;                   /* an answer that no limit may hold back */
	bool is_trial;               /* of signal failback: this one, and its number */
	uint32_t trial;
	enum dp_rescue cause; /* why it goes to another member; DP_RESCUE_N: it does not */
	uint8_t src_len;      /* of src */
	const char *src;      /* the source address's text, of a request that is forwarded */
	struct steer_routes routes;
	struct sip_uri uri; /* Request-URI in force, once it has been read */
};

/* What of a context is zero at first: the rest is large, and set before it is read. */
#define STEER_CTX_ZEROED \
	(offsetof(struct steer_ctx, routes) + offsetof(struct steer_routes, cookie))

/** Zero a context as far as it has to be, behind the fields up to `slot`, which are written one by
 * one. */
static inline void steer_ctx_zero(struct steer_ctx *c)
{
	steer_zero(&c->slot + 1,
		   STEER_CTX_ZEROED - offsetof(struct steer_ctx, slot) - sizeof(c->slot));
}

/** What is known of a response. */
struct steer_resp {
	struct steer_branch branch;
	const struct dp_secret *secret; /* that signed it */
	uint64_t mac;                   /* transaction, under that key */
	const struct sip_via *next;     /* the Via below ours: here, or as it was read ahead */
	struct steer_record *record;
	uint32_t member;      /* number of the member that sent it, STEER_NO_MEMBER: not known */
	uint8_t slot;         /* of the member whose address it came from, UINT8_MAX: of none */
	uint32_t source_hash; /* dp_ip_hash() of that address */
	_Alignas(8) struct dp_endpoint to;
	const struct dp_listener *from;

	/* Not set unless the above says so. */
	struct sip_via below;
};

/* What of it is zero at first. */
#define STEER_RESP_ZEROED offsetof(struct steer_resp, below)

/** Where a request goes. */
struct steer_hop {
	const struct dp_endpoint *to; /* the member's, or `at` */
	const struct dp_listener *from;
	const struct dp_pair *pair;     /* for branch and cookie; NULL: from client to client */
	const struct dp_member *member; /* that it goes to, or came from; NULL: not known exactly */
	const struct steer_flow *flow;  /* the flow that it follows outward, NULL: none */
	uint32_t number;                /* member number that it goes to, STEER_NO_MEMBER: none */
	uint8_t attempt;

	/* Not set unless the above says so. */
	struct dp_endpoint at;
};

/** A hop that leads nowhere yet. */
static inline void steer_hop_init(struct steer_hop *hop)
{
	*hop = (struct steer_hop){ .number = STEER_NO_MEMBER };
}

/* steer.c */
void steer_verdict_init(struct steer_verdict *v);
void steer_drop(struct steer_ctx *c, enum dp_reason reason, const char *why);
/** Tell control about a member; metered. */
void steer_event(struct steer *s, enum dp_event_type type, uint32_t member, uint32_t value,
		 uint64_t id);
/** Uniform in [0, n): for jitter only. */
uint32_t steer_random(struct steer *s, uint32_t n);
/** Room for n bytes of text that live as long as the verdict, or NULL. */
char *steer_text(struct steer_verdict *v, size_t n);

static inline char *steer_put(char *p, const void *text, size_t len)
{
	__builtin_memcpy(p, text, len);
	return p + len;
}

/** The same for text whose length is not known when this is compiled, 32 bytes or less as a rule:
 * copies of one size that overlap, without a call. */
static inline char *steer_put_short(char *p, const char *text, size_t len)
{
	uint64_t a[2], b[2];

	if (len >= 16 && len <= 32) {
		__builtin_memcpy(a, text, 16);
		__builtin_memcpy(b, text + len - 16, 16);
		__builtin_memcpy(p, a, 16);
		__builtin_memcpy(p + len - 16, b, 16);
	} else if (len >= 8 && len < 16) {
		__builtin_memcpy(a, text, 8);
		__builtin_memcpy(b, text + len - 8, 8);
		__builtin_memcpy(p, a, 8);
		__builtin_memcpy(p + len - 8, b, 8);
	} else {
		__builtin_memcpy(p, text, len);
	}
	return p + len;
}

/** Whether two texts are the same: without a call where they have 8 to 16 bytes, as an IPv4 literal
 * mostly. */
static inline bool steer_same_text(const void *a, const void *b, size_t len)
{
	uint64_t x[2], y[2];

	if (__builtin_expect(len < 8 || len > 16, 0))
		return memcmp(a, b, len) == 0;
	memcpy(x, a, 8);
	memcpy(y, b, 8);
	memcpy(x + 1, (const char *)a + len - 8, 8);
	memcpy(y + 1, (const char *)b + len - 8, 8);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/** sip_edits_add(), in line for an edit that goes behind all others, as most do. */
static inline int steer_edit(struct sip_edits *es, uint16_t off, uint16_t del, const void *ins,
			     uint16_t ins_len)
{
	unsigned int n = es->n;
	struct sip_edit *e = &es->e[n];

	if (n == SIP_EDIT_MAX || (uint32_t)off + del > SIP_MSG_MAX
	    || (n && off < (uint32_t)e[-1].off + (e[-1].del ? e[-1].del : 1u)))
		return sip_edits_add(es, off, del, ins, ins_len);
	e->off = off;
	e->del = del;
	e->ins_len = ins_len;
	e->ins = ins;
	es->n = (uint16_t)(n + 1);
	es->delta += (int32_t)ins_len - del;
	return 0;
}

static inline uint32_t steer_member_number(const struct dp_cfg *cfg, const struct dp_pair *p,
					   const struct dp_member *m)
{
	return (uint32_t)dp_cfg_pair_number(cfg, p) * DP_PAIR_MEMBERS + m->slot;
}

/** A pair's word: one acquire load. */
static inline uint64_t steer_word(const struct steer *s, uint16_t pair)
{
	return atomic_load_explicit(&s->p.pair_words[pair], memory_order_acquire);
}

/* steer_owner.c */
/** The verdict that gives the message to another worker. */
void steer_hand_over(struct steer_ctx *c, unsigned int owner, const char *why);
/** Whether a request of a spread source belongs to another worker: the verdict is then complete. */
bool steer_hands_on(struct steer_ctx *c);

/* steer_guard.c */
/** Whether a service admits a datagram: its source, and that one's share of requests. Those of
 * members are. False: dropped. */
bool steer_guard(struct steer_ctx *c);

/* steer_own.c: what is ours */

/** Whether a host can be an IP literal at all: most are names. IPv4 ends in a digit, IPv6 in a
 * bracket, or, without brackets, in a hexadecimal digit. */
static inline bool steer_may_be_literal(const uint8_t *buf, struct sip_span host)
{
	uint8_t last = host.len ? buf[host.off + host.len - 1] : 0;

	if (last <= '9' || last == ']')
		return true;
	if (__builtin_expect((last | 0x20) > 'f', 1))
		return false;
	return memchr(buf + host.off, ':', host.len) != NULL;
}

/** sip_host_ip(), quicker for IPv4. */
int steer_host_ip(const uint8_t *buf, struct sip_span host, struct sip_ip *ip);
/** steer_own_listener() of what is not written as we write it. */
const struct dp_listener *steer_own_listener_any(const struct steer_ctx *c, struct sip_span host,
						 uint16_t port);

/** The listener that a URI's or Via's host and port name, or NULL. port 0: the default one. */
static inline const struct dp_listener *steer_own_listener(const struct steer_ctx *c,
							   struct sip_span host, uint16_t port)
{
	const struct dp_listener *l = c->in->listener;
	const char *text = dp_cfg_text(c->cfg, l->hostport);

	port = port ? port : STEER_SIP_PORT;
	if (port == l->at.port && l->at.transport == DP_UDP && host.len < l->hostport.len
	    && text[host.len] == ':' && steer_same_text(sip_at(c->m, host), text, host.len)
	    && (text[0] != '[' || text[host.len - 1] == ']'))
		return l;
	return steer_own_listener_any(c, host, port);
}

/** Whether a host is one of the service's configured names. */
bool steer_own_name(const struct steer_ctx *c, struct sip_span host);
/** The listener that a sip URI over UDP names, by address or by name, or NULL. */
const struct dp_listener *steer_own_uri(const struct steer_ctx *c, const struct sip_uri *u);
/** The service's default listener of an address's family, or NULL. */
const struct dp_listener *steer_default_listener(const struct steer_ctx *c,
						 const struct sip_ip *ip);
/** Where a request for a member leaves from, or NULL. */
const struct dp_listener *steer_member_listener(const struct steer_ctx *c, const struct dp_pair *p,
						const struct sip_ip *ip);
/** Endpoint of a URI that names an IP literal: 0; -EINVAL: it names none; -EPROTONOSUPPORT: by
 * another transport. */
int steer_uri_endpoint(const struct steer_ctx *c, const struct sip_uri *u, bool ignore_maddr,
		       struct dp_endpoint *to);

/* steer_response.c */
/** Read the Via below ours where it stands alone on the line below, in plain form. */
bool steer_next_via_plain(const struct sip_msg *m, struct sip_via *via);

/* steer_transaction.c */
/** Walks the Vias below the top one. */
void steer_lower_vias(struct sip_via_iter *it, const struct sip_msg *m);
/** Whether a branch identifies a transaction (RFC 3261 8.1.1.7). */
bool steer_is_rfc3261_branch(const struct sip_msg *m, struct sip_span branch);
uint64_t steer_transaction_mac(const struct dp_secret *key, const struct sip_msg *m,
			       const struct sip_via *via);
uint32_t steer_loop_hash(const struct dp_secret *key, const struct sip_msg *m);
/** Fills c->t, but for its loop hash without a record; finds the record. */
void steer_transaction_find(struct steer_ctx *c);
/** Makes the record of a request that has none yet, and fills or updates it. */
void steer_transaction_record(struct steer_ctx *c, const struct steer_hop *hop);
/** A client's endpoint as one number: an IPv4 one itself, the digest of another one under the key
 * of its transaction. It proves who it was. */
uint64_t steer_client_mix(const struct dp_secret *key, const struct dp_endpoint *e);
/** The To tag of our own answers: STEER_TO_TAG_LEN bytes and a NUL. */
#define STEER_TO_TAG_LEN 18
void steer_to_tag(const struct dp_secret *key, const struct sip_msg *m, char *out);

/* steer_route.c */
/** Fills c->routes and c->uri. @return 0, or -EINVAL: a Route value that is needed is malformed. */
int steer_routes_scan(struct steer_ctx *c);
/** Whether the way that our own values describe ends among clients, not members. */
bool steer_routes_end_at_client(const struct steer_ctx *c);
/** The edits that routing needs: Request-URI and Route. @return 0 or negative errno. */
int steer_routes_edit(struct steer_ctx *c);

/* steer_request.c */
void steer_request(struct steer_ctx *c);
/** Steer the copy of a client's request, which has passed the checks, for the branch c->way. */
void steer_request_again(struct steer_ctx *c);

/* steer_inward.c, steer_outward.c: where a client's and a member's request goes. hop: out. */
bool steer_inward(struct steer_ctx *c, struct steer_hop *hop);
/** The same for what does not go the usual way: all that has a Route or a record, or names one. */
bool steer_inward_any(struct steer_ctx *c, struct steer_hop *hop);
bool steer_outward(struct steer_ctx *c, struct steer_hop *hop);

/* steer_select.c */
/** Find the table's slot for a client's request that has no Route, and have it fetched: it lies in
 * two megabytes of them. After the Request-URI has been read. */
void steer_select_early(struct steer_ctx *c);
/** The pair that the service's `select` names for a request, and its number, or NULL. */
const struct dp_pair *steer_select_pair(const struct steer_ctx *c, uint32_t *number);
/** Whether a request is an emergency call or has priority: shed last. */
bool steer_is_emergency(const struct dp_cfg *cfg, const struct dp_service *service,
			const struct sip_msg *m);

/* steer_member.c */
/** The active member of a pair, or NULL when it has none. */
const struct dp_member *steer_active(const struct dp_pair *p, uint64_t word);
/** Fills a hop, to the member of a pair, whose number is given, for a request that names none. */
bool steer_choose_active(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 uint32_t number);
/** Chooses the member of hop->pair; named: the one that the request's next hop names, or NULL. */
bool steer_choose_member(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 const struct dp_member *named);
/** A member named by a hop, or the active twin when it is down. */
const struct dp_member *steer_twin_if_down(const struct steer_ctx *c, const struct dp_pair *p,
					   const struct dp_member *m);
/**
 * The next member for a request in flight: the active one, then by priority; not one of `tried`
 * (slots), down, draining outside a dialog, or that does not serve the method. again: one that was
 * tried will do when there is no other.
 */
const struct dp_member *steer_next_member(const struct dp_pair *pair, uint64_t word, uint8_t method,
					  bool in_dialog, uint16_t tried, bool again);
/** Sends hop to a member: address, local listener. */
bool steer_hop_to_member(struct steer_ctx *c, struct steer_hop *hop, const struct dp_pair *pair,
			 const struct dp_member *m);

/* steer_forward.c */
void steer_forward_request(struct steer_ctx *c, const struct steer_hop *hop);
/** The same for a copy. */
void steer_forward_again(struct steer_ctx *c, const struct steer_hop *hop);
/** Finishes an edited message: counts, or drops it when it is too large. */
void steer_forward(struct steer_ctx *c, const struct dp_listener *from,
		   const struct dp_endpoint *to, uint32_t member);
/** What every forwarded message needs: no bytes before it, none behind it. */
int steer_trim_edit(struct steer_ctx *c);

/* steer_response.c */
/** @param hash  dp_ip_hash() of its source. */
void steer_response(struct steer_ctx *c, uint32_t hash);
/** Where a response to this Via goes (RFC 3261 18.2.2, RFC 3581 4). @return 0 or -EINVAL. */
int steer_via_target(const struct steer_ctx *c, const struct sip_via *via, bool maddr,
		     struct dp_endpoint *to);

/* steer_answer.c */
/** Answer a request, or, when that is not allowed, drop it. headers, phrase: NULL or text. */
__attribute__((cold)) void steer_answer(struct steer_ctx *c, unsigned int status,
					const char *phrase, const char *headers,
					enum dp_reason reason, const char *why);
/** Bytes of an answer, and where it goes. @return its length or negative errno. */
int steer_answer_build(const struct steer_ctx *c, unsigned int status, const char *phrase,
		       const char *headers, uint8_t *out, size_t out_size);
struct dp_endpoint steer_answer_to(const struct steer_ctx *c);
/** Answer with what stands for 503 in this service, and Retry-After. */
__attribute__((cold)) void steer_answer_503(struct steer_ctx *c, unsigned int status,
					    const char *why);
/** A request that did not parse. */
__attribute__((cold)) void steer_answer_malformed(struct steer_ctx *c, enum sip_result result);
/** 420 with the options of a header (Proxy-Require, Require) listed. RFC 3261 8.2.2.3. */
__attribute__((cold)) void steer_answer_420(struct steer_ctx *c, enum sip_hdr_id id);
/** An ACK for a final response of our own? */
bool steer_is_own_ack(const struct steer_ctx *c);
/** OPTIONS to the appliance itself. */
__attribute__((cold)) void steer_answer_options(struct steer_ctx *c);
/** Whether the source of a datagram may be sent anything. */
bool steer_source_answerable(const struct steer_ctx *c);

/* steer_stun.c */
bool steer_is_stun(const uint8_t *p, uint32_t len);
void steer_stun(struct steer_ctx *c);
