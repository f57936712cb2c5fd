/*
 * The store: copies of what is in flight, bounded in bytes. A flight is one open request of a
 * client: the datagram as it was received, and the state of its failover. Copies lie in chains of
 * chunks; flights that wait for a time are on a wheel of their own, which calls them in time: the
 * records' comes half a second late. Only what is open and may fail over is on it.
 *
 * All memory is taken at the start. Making, freeing and setting the time of a flight take constant
 * time. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"
#include "dataplane/steer/steer_record.h"

#define STEER_CHUNK_BYTES  512
#define STEER_WHEEL_SHIFT  13 /* a tick is 2^13 us, 8.2 ms */
#define STEER_MAX_BRANCHES 6  /* of one request: few pairs have more members */
#define STEER_NONE         0u /* no flight, no context, no chunk */

/** Bytes in a chain of chunks. */
struct steer_copy {
	uint32_t first; /* chunk, STEER_NONE: empty */
	uint32_t len;
};

enum steer_flight_flags {
	STEER_FLIGHT_IN_DIALOG = 1,
	STEER_FLIGHT_TIMED_OUT = 2,  /* no-response-timeout has passed on the branch in use */
	STEER_FLIGHT_TOLD = 4,       /* the client has had a provisional: it sends no more */
	STEER_FLIGHT_ANSWERED = 8,   /* a final of ours, or one that was kept back, went out */
	STEER_FLIGHT_ACKED = 16,     /* and its ACK has come */
	STEER_FLIGHT_DONE = 32,      /* a final has passed; kept for what comes late */
	STEER_FLIGHT_STRANDED = 128, /* its member is down, and there is no other as yet */
	STEER_FLIGHT_TIMER_C = 64,   /* it has passed: the INVITE is being cancelled */
};

/** One open request. */
struct steer_flight {
	_Alignas(64) uint32_t next;   /* on the wheel's list */
	uint32_t prev;                /* UINT32_MAX: on none */
	uint32_t tick;                /* whose list it is on, the low 32 bits */
	uint32_t context;             /* STEER_NONE: one branch, and no CANCEL; the next free one */
	uint64_t due_us;              /* when something is to be done; UINT64_MAX: never */
	struct steer_record *record;  /* its transaction; see steer_flight_record() */
	uint64_t key;                 /* of that record */
	struct sip_ip src_ip, dst_ip; /* of the datagram as received */
	uint16_t src_port, dst_port;
	struct steer_copy copy;
	uint32_t no_response_us;
	uint64_t first_us;  /* first send of the client */
	uint64_t branch_us; /* first send on the branch in use; ANSWERED: next send of the final */
	uint64_t until_us;  /* end of what it waits for */
	uint32_t member;    /* the branch in use */
	uint32_t listener;  /* key of the one that it was sent from */
	uint16_t flags;     /* set of enum steer_flight_flags */
	uint16_t status;    /* of our own final; 0: the kept-back one */
	uint8_t method;
	uint8_t attempt;
	uint8_t n_finals; /* times that a final of ours was sent */
	uint8_t reserved;
};
_Static_assert(sizeof(struct steer_flight) == 128, "two cache lines");

enum steer_branch_flags {
	STEER_BRANCH_OURS = 1,        /* we began it, and send it again */
	STEER_BRANCH_HEARD = 2,       /* has had a response of any kind */
	STEER_BRANCH_PROVISIONAL = 4, /* other than 100 */
	STEER_BRANCH_ABANDONED = 8,   /* another one took its place */
	STEER_BRANCH_CANCEL = 16,     /* is to be cancelled, after its first provisional */
	STEER_BRANCH_CANCELLING = 32, /* the CANCEL has been sent */
	STEER_BRANCH_CANCELLED = 64,  /* the CANCEL has been answered */
};

/** One branch of a response context (RFC 3261 16.7). */
struct steer_try {
	uint64_t next_us; /* when it, or its CANCEL, is sent again; UINT64_MAX: never */
	uint64_t sent_us; /* first; CANCELLING: the CANCEL */
	uint32_t member;
	uint32_t listener; /* key of the one that it was sent from */
	uint32_t wait_us;  /* Timers A and E */
	uint16_t final;    /* status; 0: none */
	uint8_t attempt;
	uint8_t flags; /* set of enum steer_branch_flags */
};

enum steer_context_flags {
	STEER_CONTEXT_CANCELLED = 1, /* by the client, by a 2xx or by Timer C */
	STEER_CONTEXT_ACCEPTED = 2,  /* a 2xx to the INVITE has passed */
};

/** A response context: what was tried, and the best final that was kept back. */
struct steer_context {
	uint32_t next;        /* of the free ones */
	uint16_t best_status; /* 0: none is kept */
	uint8_t n;
	uint8_t flags; /* set of enum steer_context_flags */
	uint8_t best;  /* branch that it came on */
	uint8_t reserved[3];
	uint64_t cancelled_us;
	struct steer_copy best_copy;
	struct steer_try t[STEER_MAX_BRANCHES];
};

struct steer_store;

/** @param size  Bytes, at least some thousand. @return NULL when out of memory. */
struct steer_store *steer_store_new(uint64_t size);
void steer_store_free(struct steer_store *st);

/** A flight with a copy of a datagram, due never; STEER_NONE when full. */
uint32_t steer_store_add(struct steer_store *st, const uint8_t *p, uint32_t len);

/** Have the place fetched that the next flight takes, with a copy of so many bytes. Changes
 * nothing. */
void steer_store_fetch(const struct steer_store *st, uint32_t len);

/** Have a flight fetched. Changes nothing. */
void steer_store_fetch_flight(const struct steer_store *st, uint32_t number);

/** Gives back a flight, its copy and its context. */
void steer_store_remove(struct steer_store *st, uint32_t number);

/** Borrowed until it is removed. number is not STEER_NONE. */
struct steer_flight *steer_store_flight(const struct steer_store *st, uint32_t number);
uint32_t steer_store_number(const struct steer_store *st, const struct steer_flight *f);

/** Flights have numbers 1 to this; those not in use have no record. */
uint32_t steer_store_flights(const struct steer_store *st);

/** A context for a flight that has none, zeroed. NULL: none is left. */
struct steer_context *steer_store_context(struct steer_store *st, struct steer_flight *f);
/** That of a flight, or NULL. */
struct steer_context *steer_store_context_of(const struct steer_store *st,
					     const struct steer_flight *f);

/** Replace what a chain holds. @return false when there is no room: it is then as it was. */
bool steer_store_put(struct steer_store *st, struct steer_copy *c, const uint8_t *p, uint32_t len);
void steer_store_drop(struct steer_store *st, struct steer_copy *c);
/** The bytes of a chain; out has room for c->len. */
void steer_store_get(const struct steer_store *st, const struct steer_copy *c, uint8_t *out);

/** Have a flight called at a time: it comes up a tick later at most, and not before. */
void steer_store_at(struct steer_store *st, struct steer_flight *f, uint64_t due_us);

/**
 * The next flight whose time has come, taken off the wheel; NULL when there is none. A flight that
 * was put off is put on the wheel again here. Call until NULL, or as often as there is time for.
 */
struct steer_flight *steer_store_due(struct steer_store *st, uint64_t now_us);

struct steer_store_use {
	uint64_t used, size;
	uint32_t flights, contexts;
};

struct steer_store_use steer_store_use(const struct steer_store *st);
