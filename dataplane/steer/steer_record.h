/*
 * Records of one worker: client transaction -> where it was sent, so that CANCEL, the ACK of a
 * non-2xx and retransmissions follow their request; and Call-ID -> the member that challenged, so
 * that the credentials reach it.
 *
 * Fixed-size records, an open-addressing table, a timer wheel with half a second's slack; all
 * memory is taken at the start. When full, nothing is recorded and the caller counts it. One
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct steer_records;

enum steer_record_state {
	STEER_RECORD_OPEN,     /* no final response yet */
	STEER_RECORD_FINAL,    /* non-2xx final passed, or any final to a non-INVITE */
	STEER_RECORD_ACCEPTED, /* 2xx to an INVITE passed */
	STEER_RECORD_ANSWERED, /* the final was ours: its ACK is absorbed */
};

enum steer_record_flags {
	STEER_RECORD_PROVISIONAL = 1, /* a provisional other than 100 has passed */
	STEER_RECORD_HEARD = 2,       /* the branch in use has had a response of any kind */
	STEER_RECORD_DOUBTED = 4,     /* control has been told that it is unanswered */
	STEER_RECORD_JUDGED = 8,      /* counted for its first member */
	STEER_RECORD_CANCELLED = 16,  /* a CANCEL was answered here */
	STEER_RECORD_TRIAL = 32,      /* of signal failback, not decided yet */
};

/** One record; the caller reads and writes its fields between find and the next call. */
struct steer_record {
	uint64_t key;        /* transaction MAC, or Call-ID MAC; not 0 */
	uint64_t expires_us; /* of the worker's clock */
	uint32_t member;     /* member number of the branch in use */
	uint32_t listener;   /* key of the listener that the request was sent from */
	uint32_t loop;       /* loop hash in its branch */
	uint8_t attempt;
	uint8_t state; /* enum steer_record_state */
	uint8_t method;
	uint8_t sends;    /* on the branch in use */
	uint64_t client;  /* steer_client_mix() of the client that sent the request */
	uint16_t flags;   /* set of enum steer_record_flags */
	uint16_t tried;   /* slots of the pair that have had it */
	uint32_t sent_us; /* first send on the branch in use, low 32 bits */
	uint32_t flight;  /* its copy (steer_store.h), 0: none */
	uint32_t trial;   /* number of the trial */
	uint8_t final_by; /* slot of the member that the final came from; of a branch that was sent
			     to a twin, too, another one's says nothing more */
};

/** @param n  Records; rounded up to a power of two. @param max_hold_us longest time that one is
 * ever kept. Takes some 90 bytes for each, and at most 2 MiB for its timer wheel. */
struct steer_records *steer_records_new(uint32_t n, uint64_t max_hold_us);
/** The same, but every record is looked at look_us after it came, and again, so that one that is
 * then held for shorter gives its place back as soon as that. */
struct steer_records *steer_records_new_looking(uint32_t n, uint64_t max_hold_us, uint64_t look_us);
void steer_records_free(struct steer_records *rs);

/** @return the record or NULL; borrowed until the next insert, remove or tick. */
struct steer_record *steer_records_find(struct steer_records *rs, uint64_t key, uint64_t now_us);

/** Have the place of the index fetched where a key's record is found. Changes nothing. */
void steer_records_fetch_slot(const struct steer_records *rs, uint64_t key);

/** Then: have the record fetched that is there, or the place that a new one takes.
 * @return whether one seems to be there. */
bool steer_records_fetch(const struct steer_records *rs, uint64_t key);

/** Add one, or return the one that is there. NULL: full. */
struct steer_record *steer_records_insert(struct steer_records *rs, uint64_t key, uint64_t now_us,
					  uint64_t hold_us);

/** Keep a record until now + hold, longer or shorter than before. One that is held for shorter is
 * not found after its new time, but keeps its place until it is looked at. */
void steer_records_hold(struct steer_records *rs, struct steer_record *r, uint64_t now_us,
			uint64_t hold_us);

/** Hold a record no longer at all. */
void steer_records_remove(struct steer_records *rs, struct steer_record *r);

/**
 * Free the places of what has expired; looks at no more than `budget` records. Records expire in
 * time without it, too; it is for their places. A little at each burst is better than much at once:
 * it takes some 50 ns a record.
 * @return how many places were freed.
 */
uint32_t steer_records_tick(struct steer_records *rs, uint64_t now_us, uint32_t budget);

/** Places that are not free. */
uint32_t steer_records_in_use(const struct steer_records *rs);
