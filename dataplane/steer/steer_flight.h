/*
 * Requests in flight: what steering does beside forwarding, so that a request whose server dies
 * gets to another one. For steering's own files.
 *
 *   steer_flight.c   a request's life: begun, answered, sent again by its client, moved, ended
 *   steer_timer.c    what time does to it: silence, our own retransmissions, Timers B, C, F, G, H
 *   steer_fork.c     response contexts (RFC 3261 16.7, 16.10): several branches, CANCEL, best final
 *   steer_replay.c   messages made anew from the store
 *   steer_scan.c     members that went down, streams that failed
 *   steer_icmp.c     ICMP errors
 *   steer_trial.c    signal failback
 *   steer_copy.c     concurrent registration
 *
 * A request that may fail over has a flight (steer_store.h) from its first send. A second branch or
 * a CANCEL gives it a context. When the store has no room a request goes on without a flight, and
 * moves by its client's own sends alone.
 */
#pragma once

#include "dataplane/steer/steer_internal.h"

/* ---- steer_flight.c ---- */

/** The flight of a record, or NULL. */
struct steer_flight *steer_flight_of(const struct steer *s, const struct steer_record *r);
/** The record of a flight, or NULL: it has gone before its flight did. */
struct steer_record *steer_flight_record(const struct steer *s, const struct steer_flight *f);

/** A client's request, which has a record, before it is steered. @return false: it is decided. */
bool steer_flight_request(struct steer_ctx *c);
/** The ACK of an answer of our own. */
void steer_flight_own_ack(struct steer_ctx *c);
/**
 * A client sends a recorded request once more: whether this send goes to another member than m.
 * @return that member, with c->cause set, or NULL.
 */
const struct dp_member *steer_flight_resend(struct steer_ctx *c, const struct dp_pair *pair,
					    const struct dp_member *m, uint64_t word);
/** A request that was not a replay has been forwarded to a member. */
void steer_flight_sent(struct steer_ctx *c, const struct steer_hop *hop);
/** A response to a recorded request. @return false: it is absorbed, the verdict is complete. */
bool steer_flight_response(struct steer_ctx *c, struct steer_resp *r);

/**
 * Send a flight's request to the next member that may have it.
 * @return false: there is none; nothing has changed.
 */
bool steer_flight_move(struct steer *s, struct steer_flight *f, enum dp_rescue cause);
/** Its client has had its final: nothing more is kept, or until 64*T1 for what may come late. */
void steer_flight_done(struct steer *s, struct steer_flight *f);
/** The same where a branch without a final is left, which is ACKed here when it comes. */
void steer_flight_linger(struct steer *s, struct steer_flight *f);
void steer_flight_remove(struct steer *s, struct steer_flight *f);
bool steer_flight_pair_flag(const struct steer *s, uint32_t member, enum dp_pair_flags flag);
bool steer_flight_is_down(const struct steer *s, uint32_t member);

/* ---- steer_learn.c ---- */

/** Whether a response asks for another member. */
bool steer_flight_refused(const struct steer *s, const struct steer_record *rec, uint16_t status,
			  uint8_t attempt);
/** A request has gone to another member. */
void steer_flight_rescued(struct steer *s, const struct steer_record *rec, uint32_t from,
			  uint32_t to, enum dp_rescue cause);
/** First response of a branch, or of a request's first member: its counters and times. */
void steer_flight_heard(struct steer *s, struct steer_record *rec, const struct steer_resp *r,
			uint16_t status);
/** A branch has had no response for longer than it should. */
void steer_flight_doubt(struct steer *s, struct steer_record *rec, uint32_t member, uint8_t method);
/** No response for no-response-timeout counts against the first member. */
void steer_flight_failed(struct steer *s, struct steer_record *rec, uint32_t member);

/* ---- steer_fork.c ---- */

/** The context of a flight; made, with its first branch, when there is none. NULL: none is left: it
 * goes on without, what comes late from its earlier branch is told by the attempt number. */
struct steer_context *steer_fork_begin(struct steer *s, struct steer_flight *f);
/** A new branch takes the place of the one in use. @return it. */
struct steer_try *steer_fork_add(struct steer *s, struct steer_flight *f, struct steer_context *x,
				 const struct steer_way *way, bool ours);
/** The branch in use. */
struct steer_try *steer_fork_current(struct steer_context *x, const struct steer_flight *f);
/** A response to a request with a context. */
bool steer_fork_response(struct steer_ctx *c, struct steer_resp *r, struct steer_flight *f,
			 struct steer_context *x);
/** The CANCEL of an INVITE in flight. @return false when there is no room for a context. */
bool steer_fork_cancel(struct steer *s, struct steer_flight *f);
/** The client has sent its request again, on the branch in use: that stands for a send of ours. */
void steer_fork_sent(struct steer *s, struct steer_flight *f, struct steer_context *x);
/** Whether a response is to a CANCEL of our own, which has our Via alone; it is then noted. */
bool steer_fork_is_cancelled(struct steer_ctx *c, const struct steer_branch *b);
/** Send again what is due on its branches. */
void steer_fork_due(struct steer *s, struct steer_flight *f, struct steer_context *x);
/** Have all branches cancelled that have no final: at once those with a provisional. */
void steer_fork_cancel_all(struct steer *s, struct steer_flight *f, struct steer_context *x,
			   const struct steer_try *but);
/** Keep a final back if it is better than what is kept. msg, len: as received. */
void steer_fork_keep(struct steer *s, struct steer_context *x, const struct steer_try *t,
		     uint16_t status, const uint8_t *msg, uint32_t len);

/* ---- steer_timer.c ---- */

/** Work off what is due, a bounded number at a time. */
void steer_timer_run(struct steer *s);
/** The same as below for a flight that has just begun. */
void steer_timer_begin(struct steer *s, struct steer_flight *f);
/** Set the time at which something is to be done next for a flight. */
void steer_timer_set(struct steer *s, struct steer_flight *f);
/** Answer the client: with a status of our own, or, 0, with what is kept back. */
void steer_timer_final(struct steer *s, struct steer_flight *f, uint16_t status);
/** Send that final once more. */
void steer_timer_final_again(struct steer *s, struct steer_flight *f);

/* ---- steer_replay.c ---- */

struct steer_replay *steer_replay_new(void);
void steer_replay_free(struct steer_replay *rp);
/** Make a flight's request for a branch. @return false: it cannot be made any more. */
bool steer_replay_request(struct steer *s, struct steer_flight *f, const struct steer_way *way);
/** Send what was made last. */
void steer_replay_send(struct steer *s);
/** Key of the listener that what was made last leaves from. */
uint32_t steer_replay_listener(const struct steer *s);
/** Tag of the branch of the request that the last CANCEL or ACK was built from. */
uint64_t steer_replay_tag(const struct steer *s);
/** Make and send a branch's request, its CANCEL, the ACK of a non-2xx response to it. */
bool steer_replay_again(struct steer *s, struct steer_flight *f, const struct steer_try *t);
bool steer_replay_cancel(struct steer *s, struct steer_flight *f, const struct steer_try *t);
bool steer_replay_ack(struct steer *s, struct steer_flight *f, const struct steer_try *t,
		      const struct sip_msg *response);
/** Make and send a final of our own, and one that was kept back. */
bool steer_replay_answer(struct steer *s, struct steer_flight *f, uint16_t status);
bool steer_replay_kept(struct steer *s, struct steer_flight *f, const struct steer_context *x);

/** Make a request anew from a datagram that is being steered, for another branch. */
bool steer_replay_datagram(struct steer *s, const struct steer_in *in, const struct steer_way *way);

/* ---- steer_copy.c ---- */

#define STEER_COPY_ATTEMPT 15 /* the highest: failover stops before it */

/** A REGISTER has gone to a member of a pair that wants copies. */
void steer_copy_sent(struct steer_ctx *c, const struct steer_hop *hop);
/** What answers a copy is counted and absorbed. @return false. */
bool steer_copy_response(struct steer_ctx *c, const struct steer_resp *r);

/* ---- steer_trial.c ---- */

/** The better member that a trial is on offer for, when this request may make it; else NULL. */
const struct dp_member *steer_trial(struct steer_ctx *c, const struct dp_pair *pair, uint64_t word);
/** A trial's request has been forwarded. */
void steer_trial_sent(struct steer_ctx *c, const struct steer_hop *hop);

/** A trial of signal failback has ended: with a status, or, 0, unanswered. */
void steer_trial_end(struct steer *s, struct steer_record *rec, uint16_t status);

/* ---- steer_scan.c ---- */

/** Look for members that went down since, and at some flights, if it is time. */
void steer_scan_run(struct steer *s);
