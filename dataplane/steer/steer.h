/*
 * steer: message + snapshot + records + now -> verdict and a short list of edits.
 *
 * The heart of the product, a pure function of its arguments and of one worker's state: no I/O, no
 * clock, no allocation after steer_new(), no mbuf, no EAL. The workers, `explain`, unit tests,
 * fuzzers and simulators call it.
 *
 * A struct steer belongs to one thread (a worker; or control's explain, which has one of its own
 * without records).
 */
#pragma once

#include "dataplane/dp_cfg.h"
#include "sip/sip_edit.h"

struct steer;

/** A datagram that steering sends besides its verdict: a request in flight to another member, a
 * retransmission, a CANCEL or ACK of its own, a final that it kept back, a copy of a REGISTER. */
struct steer_send {
	const struct dp_listener *from; /* local address and port; of the snapshot in use */
	struct dp_endpoint to;
	uint32_t member;    /* member number that it goes to, UINT32_MAX: a client */
	const uint8_t *buf; /* UDP payload, borrowed until the callee returns */
	uint32_t len;
};

struct steer_params {
	uint16_t worker;            /* owner number that goes into branches */
	uint16_t n_workers;         /* of this data plane; 0 or 1: nothing is handed over */
	struct dp_secret owner_key; /* the same for all workers: see steer_owner_of_call() */
	uint32_t n_records;         /* transaction records; 0: none are made (explain) */
	uint32_t n_challenges;
	uint32_t n_limits; /* sources whose own answers are metered at a time */
	uint32_t record_hold_ms;
	uint64_t seed; /* for tie-breaking and jitter only, never for what must be unguessable */
	struct dp_worker_counters *counters; /* borrowed; may not be NULL */
	struct dp_member_group *members;     /* borrowed, of a worker's block; NULL: not counted */
	struct dp_event_ring *events;        /* borrowed; NULL: none are sent */
	const _Atomic uint64_t *pair_words;  /* borrowed, DP_MAX_PAIRS of them */
	/* For requests in flight. NULL or 0: they are forwarded and no more (explain). */
	uint64_t store_size;                /* bytes for copies of open requests */
	const _Atomic uint64_t *word_downs; /* borrowed, of the region */
	_Atomic uint32_t *pair_trials;      /* borrowed, DP_MAX_PAIRS of them */
	/** Sends a datagram now, or drops and counts it. Called from within the functions below. */
	void (*send)(void *arg, const struct steer_send *out);
	void *send_arg;
};

/** @return NULL when out of memory. All memory is taken here. */
struct steer *steer_new(const struct steer_params *p);
void steer_free(struct steer *s);

/** Which requests of a source may belong to another worker: see steer_owner.h. */
enum steer_spread {
	STEER_SPREAD_NONE, /* none: what this worker receives is its own */
	STEER_SPREAD_LATE, /* what ends an INVITE that came while the source was hot */
	STEER_SPREAD_ALL,  /* all that this worker has no record of */
};

/**
 * A datagram that was looked at before its turn, so that memory that it needs is on its way while
 * others before it are decided: see steer_look().
 */
struct steer_ahead {
	bool parsed;
	bool has_next; /* of a response: the Via below the top one has been read */
	enum sip_result result;
	uint32_t source_hash;             /* dp_ip_hash() of where it comes from */
	const uint16_t *slot;             /* of the service's table; NULL: not looked for */
	const struct dp_service *service; /* of the listener */
	struct sip_msg msg;
	uint64_t mac;          /* its transaction, under the first key; 0: not computed */
	struct sip_via next;   /* with has_next */
	struct dp_endpoint to; /* that it names, to be looked up; port 0: none */
};

/** A datagram as classify saw it. */
struct steer_in {
	const uint8_t *buf; /* UDP payload; borrowed until the verdict has been carried out */
	uint32_t len;
	struct dp_endpoint src;
	struct dp_endpoint dst;
	const struct dp_listener *listener; /* that dst names, of the snapshot in use */
	uint8_t spread;                     /* enum steer_spread */
	bool local; /* from this machine itself, by its own word: neither refused nor limited */
	bool dst_multicast;              /* IP or Ethernet destination was multicast or broadcast */
	const struct steer_ahead *ahead; /* of this very datagram, in this burst; NULL: none */
};

enum steer_action {
	STEER_DROP,      /* `reason` says why; steer has counted it */
	STEER_FORWARD,   /* apply `edits` to the datagram, send it from `from` to `to` */
	STEER_ANSWER,    /* send `answer` from `from` to `to` */
	STEER_HAND_OVER, /* give the datagram as it is to worker `owner`, which decides */
};

#define STEER_TEXT_SIZE   2048
#define STEER_ANSWER_SIZE 4096

struct steer_verdict {
	uint8_t action; /* enum steer_action */
	uint8_t reason; /* enum dp_reason, with STEER_DROP; with STEER_ANSWER DP_REASON_N or why the
			   request failed */
	uint8_t owner;  /* with STEER_HAND_OVER */
	uint16_t status; /* with STEER_ANSWER: the status code, 0 for STUN */
	uint32_t member; /* member number that a request goes to or came from, UINT32_MAX: none */
	const char *why; /* static text for explain: the rule that decided */
	const struct dp_listener *from; /* local address and port to send from */
	struct dp_endpoint to;
	struct sip_edits edits;
	uint16_t text_len;
	uint16_t answer_len;
	char text[STEER_TEXT_SIZE]; /* holds what `edits` insert */
	uint8_t answer[STEER_ANSWER_SIZE];
};

/**
 * The snapshot and time of the burst to come. Call once per burst, before its messages, and
 * whenever the snapshot changes, before the next steer_tick().
 * @param cfg     Borrowed until the next call.
 * @param now_us  Monotonic microseconds.
 */
void steer_begin(struct steer *s, const struct dp_cfg *cfg, uint64_t now_us);

/**
 * Look at a datagram that is decided about soon: parse it, compute its transaction, and have the
 * slots of the tables fetched that name its pair and its record. Between steer_begin() and
 * steer_message(), which finds it in in->ahead; decides nothing. Where a service limits or refuses
 * sources, nothing is done before that.
 * @param a  Out; borrows in->buf.
 */
void steer_look(const struct steer *s, const struct steer_in *in, struct steer_ahead *a);

#define STEER_FEW_PAIRS 64 /* what a message needs of these stays in the first cache */

/** Whether what messages need of their pairs has to be fetched. */
static inline bool steer_has_many_pairs(const struct dp_cfg *cfg)
{
	return cfg->n_pairs > STEER_FEW_PAIRS;
}

/** Then, two messages or so before its turn: have the pair, where there are many, and the record
 * fetched that the slots name, or the places that a new record and a new copy will take. */
void steer_look_pair(const struct steer *s, const struct steer_ahead *a);

/**
 * Then, where there are many pairs, a message before its turn: have the counters fetched of the
 * member that a request most likely goes to.
 * @return where that is, borrowed from the snapshot, so that the caller can have fetched what leads
 *         there; NULL: not known.
 */
const struct dp_endpoint *steer_look_member(const struct steer *s, const struct steer_ahead *a);

/**
 * Decide about one datagram for a listener.
 * @param v  Out; need not be initialised. Borrows in->buf.
 */
void steer_message(struct steer *s, const struct steer_in *in, struct steer_verdict *v);

/**
 * Timers of requests in flight, requests that have to leave a member, expiry of records. Call every
 * millisecond or so of now_us, after the messages that had come by then, with the snapshot of the
 * last steer_begin() still there; bounded work per call: at most 64 requests by their timers, and 8
 * to 64 more in each millisecond of members that went down.
 */
void steer_tick(struct steer *s, uint64_t now_us);

/** A member's connection has failed: what is open there is rescued, a bounded number at each call
 * of steer_tick(). */
void steer_stream_failed(struct steer *s, uint32_t member);

/** An ICMP or ICMPv6 error that quotes a datagram from one of our listeners. */
struct steer_icmp {
	struct dp_endpoint from; /* the quoted source: ours */
	struct dp_endpoint to;   /* the quoted destination */
	const uint8_t *quote;    /* the UDP payload as far as it is quoted; borrowed */
	uint32_t quote_len;      /* may be 0 */
	uint8_t type, code;
	bool v6;                /* type and code are ICMPv6's */
	struct sip_ip reporter; /* who sent it */
};

/** What an ICMP error proves. */
enum steer_icmp_proof {
	STEER_ICMP_UNPROVEN,
	STEER_ICMP_PROVEN,    /* that we sent the datagram: the quoted top Via is ours, its tag fits
				 the transaction in the quoted Via below, and `to` is the address of
				 the member that it names */
	STEER_ICMP_HAND_OVER, /* the same, and the request is another worker's, which acts on it */
};

/**
 * An ICMP error about something that was sent. When it is a destination unreachable of RFC
 * 3261 18.4 and proven ours, the worker that owns the request which it quotes rescues that at once
 * and tells control; when it cannot be proven, control gets a hint at most. Between steer_begin()
 * and the next one.
 * @param owner  Out, with STEER_ICMP_HAND_OVER: the worker to give the error to, as it came.
 */
enum steer_icmp_proof steer_icmp(struct steer *s, const struct steer_icmp *in, uint8_t *owner);

/** The parsed view of the last datagram given to steer_message() (for explain and tracing). */
const struct sip_msg *steer_last_message(const struct steer *s);
