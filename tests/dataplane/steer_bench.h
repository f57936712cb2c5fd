/*
 * A bench for steering: a small world (listeners, services, pairs, members), datagrams written as
 * short text, verdicts with their bytes, and endpoints that follow RFC 3261 12 with what they were
 * sent. No EAL, no sockets, no clock.
 *
 * Text. Lines end with '\n' and become CRLF lines. bench_send() adds what a request or response
 * must have and the text leaves out: Via (the client's at the source address), From, To, Call-ID,
 * CSeq, Max-Forwards, Content-Length, and the blank line. A text that holds a blank line is sent as
 * it stands.
 *
 * Patterns. bench_is() compares bytes out with a text of the same kind; "{...}" stands for a token
 * that is read and verified:
 *   {branch M}      our branch: member M ("-": none)
 *   {cookie P M D}  our cookie, valid for the message's Call-ID: pair, member, in or out
 *   {flow A}        our flow token, valid: address A ("203.0.113.5:5062")
 *   {tag}           our To tag
 *   {*}             anything up to what follows it
 */
#pragma once

#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/dp_region.h"
#include "dataplane/steer/steer.h"
#include "dataplane/steer/steer_token.h"
#include "tests/sip/guard.h"

#define BENCH_MSG 16384

struct bench_opts {
	unsigned int n_pairs; /* 1 to 4: east, west, north, south */
	enum dp_select select;
	bool v6_members;      /* of east: a is 2001:db8:1::11, b 2001:db8:1::12 */
	bool two_armed;       /* egress 198.51.100.1:5060 and [2001:db8:1::1]:5060 for east */
	const char *egress;   /* with two_armed: another IPv4 address for it */
	bool two_services;    /* "trunk" at 192.0.2.20:5060, with pair west; voice has the others */
	bool shared_pair;     /* with two_services: trunk has east too */
	bool fallback;        /* east-c, 198.51.100.13, serves INVITE only */
	bool fallback_all;    /* with fallback: it serves everything */
	bool prefix;          /* east's `sources:` 198.51.100.128/25 */
	bool second_listener; /* voice listens at 192.0.2.10:5070 too */
	bool in_dialog_active; /* in-dialog: active */
	bool trust_maddr;
	bool no_path;
	bool no_records;
	bool no_v6; /* no IPv6 listener */
	int map_503;
	uint32_t answers_per_s;
	uint32_t requests_per_s;
	const char *allow, *deny; /* of voice: an address, admitted or not with its /24 or /64 */
	uint32_t max_message;
	uint32_t n_records;
	uint32_t n_challenges;
	unsigned int n_workers; /* 0: one; else the bench is `worker` of them */
	unsigned int worker;
	bool local;            /* what is sent comes from this machine itself */
	uint8_t spread;        /* enum steer_spread of what is sent */
	const char *emergency; /* one configured number */
	const char *own_name;  /* host name of the service */
	const char *listen;    /* one more listener of voice */
	/* Requests in flight: off unless there is a store. */
	uint64_t store_size;
	bool no_store;             /* a way to send all the same */
	uint32_t failover_methods; /* 0: REGISTER, INVITE and BYE */
	uint32_t signal_methods;
	uint32_t no_response_ms; /* 0: 4 s */
	uint8_t retry_counts;    /* 0: 3 */
	uint8_t pair_flags;      /* enum dp_pair_flags, of every pair */
};

/** What steering sent besides its verdicts. */
struct bench_sent {
	struct dp_endpoint from, to;
	uint32_t member;
	size_t len;
	char text[4096];
};

#define BENCH_SENT 256

struct bench {
	struct bench_opts opts;
	struct ctl_numbers *numbers;
	struct dp_cfg *cfg;
	struct steer *steer;
	struct ctl_secrets secrets;
	_Atomic uint64_t *words;
	struct dp_worker_counters counters;
	struct dp_member_group *members;
	struct dp_event_ring *events;
	struct dp_event_reader events_read;
	uint64_t now_us;
	uint32_t n_messages; /* so far */
	struct steer_verdict v;
	const struct dp_endpoint *likely; /* where the last look ahead said it would go, or NULL */
	struct guard guard;               /* what is sent lies flush against it */
	char in[BENCH_MSG];               /* last datagram sent, NUL-terminated; its length */
	size_t in_len;
	char out[BENCH_MSG]; /* bytes of the last verdict, NUL-terminated: edited message or answer
			      */
	size_t out_len;
	char src[64], dst[64];
	_Atomic uint64_t word_downs;
	_Atomic uint32_t *trials;
	struct bench_sent *sent; /* BENCH_SENT of them, of which the first n_sent are filled */
	unsigned int n_sent;
};

/** What spreads Call-IDs over workers. */
extern const struct dp_secret bench_owner_key;

/** A new bench; opts NULL: one pair, all defaults. bench_free() it. */
struct bench *bench_new(const struct bench_opts *opts);
void bench_free(struct bench *b);

/** Another snapshot of the same world: what a reload does. The keys are b->secrets. */
void bench_reload(struct bench *b);

/* The pairs' words. Members by name. */
void bench_active(struct bench *b, const char *member);
void bench_down(struct bench *b, const char *member, bool down);
void bench_suspect(struct bench *b, const char *member, bool suspect);
void bench_drain(struct bench *b, const char *member, bool draining);
void bench_pair_flag(struct bench *b, const char *pair, uint64_t flag, bool on);
uint32_t bench_member(const struct bench *b, const char *member); /* its number */
/** What has been counted for a member, by its number. */
struct dp_member_counters bench_counters(const struct bench *b, uint32_t member);
/** A trial of signal failback on a pair's first member is on offer: its number. */
void bench_trial(struct bench *b, const char *pair, uint32_t trial);

/** Time passes, with a tick each 4 ms. */
void bench_wait(struct bench *b, uint64_t us);

/** "192.0.2.1:5060" or "[2001:db8::1]:5060" to an endpoint and back. */
struct dp_endpoint bench_endpoint(const char *text);
const char *bench_endpoint_text(const struct dp_endpoint *e);

/** Full message of a text, as bench_send() makes it. Returns its length. */
size_t bench_text(char *out, const char *src, const char *text);

/** Send a text; the verdict is in b->v, its bytes in b->out. */
enum steer_action bench_send(struct bench *b, const char *src, const char *dst, const char *text);
/** Send bytes as they are. */
enum steer_action bench_bytes(struct bench *b, const char *src, const char *dst, const void *p,
			      size_t len);

/** Expectations; each fails the test with the message and the verdict. */
#define bench_forwarded(b, from, to) bench_forwarded_at(__FILE__, __LINE__, b, from, to)
#define bench_answered(b, status)    bench_answered_at(__FILE__, __LINE__, b, status)
#define bench_dropped(b, reason)     bench_dropped_at(__FILE__, __LINE__, b, DP_REASON_##reason)
#define bench_is(b, pattern)         bench_is_at(__FILE__, __LINE__, b, pattern)
#define bench_has(b, pattern)        bench_has_at(__FILE__, __LINE__, b, pattern, true)
#define bench_lacks(b, pattern)      bench_has_at(__FILE__, __LINE__, b, pattern, false)
bool bench_forwarded_at(const char *file, int line, struct bench *b, const char *from,
			const char *to);
bool bench_answered_at(const char *file, int line, struct bench *b, unsigned int status);
bool bench_dropped_at(const char *file, int line, struct bench *b, enum dp_reason reason);
/** The whole message out is the pattern. */
bool bench_is_at(const char *file, int line, struct bench *b, const char *pattern);
/** Some run of whole lines out is (not) the pattern; the pattern has no line end at its end. */
bool bench_has_at(const char *file, int line, struct bench *b, const char *pattern, bool want);

/** n-th value (from 0) of a header in a message, comma lists taken apart; "" when there is none.
 * Borrowed until the next eight calls. */
const char *bench_header(const char *msg, const char *name, unsigned int n);

/** What a server answers to the message in b->out: Vias, Record-Route, From, To with a tag, Contact
 * at its address. `more`: further header lines or "". */
void bench_reply_text(const struct bench *b, char *out, unsigned int status, const char *contact,
		      const char *more);
/** Send that reply from where the request went to where it came from. */
enum steer_action bench_reply(struct bench *b, unsigned int status, const char *contact,
			      const char *more);

/** One side of a dialog (RFC 3261 12.1). */
struct bench_dialog {
	char local[256], remote[256], call_id[128], target[256];
	char route[8][300];
	unsigned int n_routes;
	unsigned int cseq;
	char src[64]; /* where this side sends from */
	char dst[64]; /* our address that it sends to */
};

/** From the request that this side received (b->out) and its own tag: callee. */
void bench_dialog_callee(const struct bench *b, struct bench_dialog *d);
/** From the response that this side received (b->out): caller. */
void bench_dialog_caller(const struct bench *b, struct bench_dialog *d);
/** Send a request in it. `more`: further header lines or "". */
enum steer_action bench_dialog_send(struct bench *b, struct bench_dialog *d, const char *method,
				    const char *more);

/** Next event of a type, or NULL. */
const struct dp_event *bench_event(struct bench *b, enum dp_event_type type);
