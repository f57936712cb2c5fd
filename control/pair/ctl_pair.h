/*
 * The pair machine: which member of a pair is active. A pure function of state, settings, event
 * and time: no I/O, no clock, no allocation. The runtime (ctl_pairs.c) feeds it and carries out
 * its actions; the simulator drives the same code with virtual time.
 *
 * Times are monotonic microseconds, never 0; 0 in a field means "not set". Every timer is a
 * deadline in the state; wake_us is the earliest of them, and a tick must be given then:
 *
 *   next_us         a member's next periodic probe (oos-check)
 *   probe deadline  when an outstanding probe counts as failed (probe-timeout)
 *   burst.next_us   a suspect member's next burst probe, or the burst's end
 *   cool_us         when a doubt that came too soon after the last burst starts the next one
 *   turn_us         UNKNOWN, OUT-OF-SERVICE: the next member's turn (oos-force)
 *   failback_us     the next independent failback probe (failback-interval)
 *   hold            a member left at left_us is not returned to before failback-hold
 *
 * Members are named by slot, as in the pair's word (dataplane/dp_region.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config/ctl_model.h"
#include "dataplane/dp_region.h"

#define CTL_PAIR_NONE         0xff /* no slot */
#define CTL_PAIR_CODES        16
#define CTL_PAIR_BURST        3        /* probes that confirm or clear a suspicion */
#define CTL_PAIR_BURST_MIN    10000u   /* us: least distance of a burst's probes */
#define CTL_PAIR_BURST_MAX    1000000u /* us: greatest, whatever the round trip */
#define CTL_PAIR_BURST_STREAM 100000u  /* us: least over TCP, which sends again after 200 ms */
#define CTL_PAIR_RTT_GUESS    75000u   /* us: round trip of a member that was never measured */
#define CTL_PAIR_COOL_US      250000u /* after a cleared suspicion the next burst waits this long */
#define CTL_PAIR_STALL_US     250000u /* a tick this late means that the process was not running */
#define CTL_PAIR_VOIDS        2       /* times in a row that lateness may excuse a probe */
#define CTL_PAIR_FLAP_US      600000000 /* a switch away this soon after a return is a flap */
#define CTL_PAIR_FLAPS_MAX    6         /* the hold doubles at most so often */
#define CTL_PAIR_T1_US        500000    /* RFC 3261 17.1.1.1 */
#define CTL_PAIR_TEXT         256

enum ctl_pair_phase {
	CTL_PAIR_UNKNOWN,
	CTL_PAIR_PRIMARY,
	CTL_PAIR_BACKUP,
	CTL_PAIR_FALLBACK, /* FALLBACK(n): n is the active member's rank */
	CTL_PAIR_OUT_OF_SERVICE,
	CTL_PAIR_PHASE_N,
};

/** What probes say of a member; degraded, draining and disabled are marks beside it. */
enum ctl_health {
	CTL_HEALTH_NEW, /* nobody has asked it yet, or nobody watches it */
	CTL_HEALTH_UP,
	CTL_HEALTH_SUSPECT, /* a burst is under way */
	CTL_HEALTH_DOWN,
	CTL_HEALTH_N,
};

enum ctl_probe_method { CTL_PROBE_OPTIONS, CTL_PROBE_REGISTER };

/** Settings of one member. */
struct ctl_pair_member_conf {
	const char *name;  /* borrowed; for evidence */
	uint8_t role;      /* enum dp_role */
	uint8_t rank;      /* 0 is the primary */
	uint8_t transport; /* of its probes: enum dp_transport */
	bool registers;    /* has user and password: timed failback sends REGISTER */
	uint64_t phase_us; /* delay of its first probe, so that members are spread in time */
};

/** Settings of a pair; times in microseconds. */
struct ctl_pair_conf {
	uint64_t check_us;   /* oos-check; 0: no periodic probes */
	uint64_t force_us;   /* oos-force */
	uint64_t timeout_us; /* probe-timeout; 0: the period, at most 5 s */
	uint32_t fall, rise;
	bool probe_all;
	bool gray_failover;
	unsigned int failback; /* set of enum ctl_failback */
	uint64_t interval_us;  /* failback-interval */
	uint64_t hold_us;      /* failback-hold */
	unsigned int n_codes;
	uint16_t codes[CTL_PAIR_CODES];                 /* unavailable-codes */
	unsigned int n;                                 /* members */
	uint8_t order[DP_PAIR_MEMBERS];                 /* slots by rank */
	struct ctl_pair_member_conf m[DP_PAIR_MEMBERS]; /* by slot */
};

enum ctl_pair_event_type {
	CTL_EV_TICK,   /* wake_us has come */
	CTL_EV_ANSWER, /* probe `probe` was answered: code, rtt_us (0: not measurable) */
	CTL_EV_ERROR,  /* probe `probe` failed at once: code (see ctl_pair_error), detail */
	/* From live traffic about member `slot` */
	CTL_EV_UNANSWERED, /* a request (method) has had no answer */
	CTL_EV_LIVE_CODE,  /* it answered `code` to a request (method) */
	CTL_EV_ICMP,       /* a proven ICMP error: detail is type << 8 | code, id the branch */
	CTL_EV_STREAM,     /* a connection failed; detail: errno, ENOTCONN: one kept was closed */
	CTL_EV_ALIVE,      /* suspect or down, it answered `code` to a live request */
	CTL_EV_SIGNAL,     /* it answered `code` to a request of signal failback */
	CTL_EV_LIVE,       /* one window's figures: requests, failed, delay_us */
	/* From above the pairs */
	CTL_EV_CUT,    /* all pairs went silent together, since since_us: our own link is lost */
	CTL_EV_MENDED, /* somebody answered again */
	/* Operators; check with ctl_pair_refuses() first. `who` is recorded. */
	CTL_EV_SWITCH,
	CTL_EV_PIN,
	CTL_EV_UNPIN,
	CTL_EV_DRAIN,
	CTL_EV_DISABLE,
	CTL_EV_ENABLE,
	/* Configuration */
	CTL_EV_GONE,   /* the members in `slots` are taken away (old settings still hold) */
	CTL_EV_CHANGE, /* new settings; the members in `slots` are new or moved */
	CTL_EV_EXTERNAL_N,
	/* Decisions that follow from the above within a step */
	CTL_EV_ACTIVE_LOST = CTL_EV_EXTERNAL_N, /* the active member was found down */
	CTL_EV_FIRST_ANSWER,                    /* `slot` answered while nobody was known alive */
	CTL_EV_ALL_MISSED,                      /* every member has missed one oos-force round */
	CTL_EV_N,
};

enum ctl_pair_error {
	CTL_ERROR_ICMP, /* detail is type << 8 | code */
	CTL_ERROR_SEND, /* could not be sent; detail: errno */
	/* A connection failed; detail: errno. ETIMEDOUT: not open when the probe's time was over;
	 * EPIPE: closed before it answered; EBADMSG: what came is no SIP; EMSGSIZE: too much. */
	CTL_ERROR_STREAM,
	CTL_ERROR_TLS, /* detail: enum ctl_pair_tls */
};

/** Why TLS with a member failed. */
enum ctl_pair_tls {
	CTL_TLS_FAILED,      /* none of the below */
	CTL_TLS_TIMED_OUT,   /* no end of the handshake when the probe's time was over */
	CTL_TLS_CLOSED,      /* the connection was closed within the handshake */
	CTL_TLS_NO_TLS,      /* what came is no TLS */
	CTL_TLS_NO_COMMON,   /* no version or cipher suite in common */
	CTL_TLS_EXPIRED,     /* the server's certificate has expired */
	CTL_TLS_NOT_YET,     /* it is not valid yet */
	CTL_TLS_WRONG_NAME,  /* it names somebody else */
	CTL_TLS_UNKNOWN_CA,  /* it leads to no authority that we trust */
	CTL_TLS_CERTIFICATE, /* something else is wrong with it */
	CTL_TLS_REFUSED_US,  /* the server refuses our certificate, or wants one */
	CTL_TLS_OWN_FILES,   /* our own files cannot be used */
	CTL_TLS_N,
};

struct ctl_pair_event {
	enum ctl_pair_event_type type;
	uint8_t slot;
	uint8_t method; /* enum sip_method */
	uint16_t code;
	uint32_t probe;
	uint32_t rtt_us;
	uint32_t detail;
	uint32_t requests, failed, delay_us; /* CTL_EV_LIVE */
	uint32_t slots;                      /* bit per slot */
	uint64_t id;
	uint64_t since_us;
	const char *who;
};

/** Send a probe. The machine keeps its deadline; the prober may forget it at timeout_us. */
struct ctl_pair_send {
	uint32_t id; /* unique within the pair */
	uint8_t slot;
	uint8_t method;      /* enum ctl_probe_method */
	uint8_t n_sends;     /* 0: per RFC 3261 17.1.2 (timers E and F) */
	uint64_t spread_us;  /* the n_sends datagrams go out over this time, evenly */
	uint64_t timeout_us; /* an answer later than this counts for nothing */
};

/** What has happened, for the history. Strings without comment are static. */
struct ctl_pair_note {
	uint8_t slot; /* the member it is about; CTL_PAIR_NONE: the pair */
	const char *from, *to;
	const char *cause;
	const char *who; /* borrowed from the event; NULL: the machine */
	char text[CTL_PAIR_TEXT];
};

#define CTL_PAIR_SENDS (2 * DP_PAIR_MEMBERS + 2)
#define CTL_PAIR_GIVES (4 * DP_PAIR_MEMBERS + 2)
#define CTL_PAIR_NOTES (DP_PAIR_MEMBERS + 8)

/** What to do, in this order: cancel, send, record. The word is ctl_pair_word()'s. */
struct ctl_pair_actions {
	unsigned int n_cancels, n_sends, n_notes;
	uint32_t cancels[CTL_PAIR_GIVES]; /* probe ids */
	struct ctl_pair_send sends[CTL_PAIR_SENDS];
	struct ctl_pair_note notes[CTL_PAIR_NOTES];
};

/** An outstanding probe. */
struct ctl_pair_probe {
	uint32_t id; /* 0: none */
	uint8_t method;
	uint8_t n_sends;
	bool force; /* sent in its turn of an oos-force round */
	uint64_t sent_us, deadline_us;
};

/** Why a probe failed or a member is doubted; for evidence. */
struct ctl_pair_reason {
	uint8_t kind; /* internal */
	uint8_t method;
	uint16_t code;
	uint32_t detail;
	uint32_t n_sends;
	uint8_t transport;
	uint64_t span_us;
};

/** Live traffic's figures, decayed; in 1/256 requests. */
struct ctl_pair_live {
	uint64_t requests, failed;
	uint64_t delay_us;
};

struct ctl_pair_burst {
	bool running;
	uint8_t sent;
	uint8_t failed; /* probes of this burst that failed at once or by an unavailable code */
	uint64_t step_us;
	uint64_t next_us;
	struct ctl_pair_probe probe[CTL_PAIR_BURST];
};

struct ctl_pair_member {
	bool present;
	uint8_t health;    /* enum ctl_health */
	uint8_t transport; /* as in the settings */
	bool degraded, draining, disabled;
	bool last_good; /* its last probe was answered well */
	bool silent;    /* its last probe was not answered at all */
	bool missed;    /* missed its turn since the pair's state became UNKNOWN */
	bool doubted;   /* a doubt waits for cool_us */
	bool has_icmp;
	uint8_t voids;
	uint32_t fails, oks; /* probes in a row */
	uint32_t srtt_us, rttvar_us, last_rtt_us;
	uint64_t next_us, sent_us, cool_us;
	uint64_t icmp_id;
	uint64_t good_us;    /* last good answer */
	uint64_t left_us;    /* when the pair last switched away from it */
	uint64_t changed_us; /* last change of what ctl_pair_member_name() says */
	uint64_t degraded_us;
	uint64_t suspicions, cleared; /* counts */
	uint16_t last_code;
	struct ctl_pair_reason bad, doubt;
	struct ctl_pair_reason last_bad; /* why its last failed probe failed */
	uint64_t last_bad_us;
	struct ctl_pair_probe periodic;
	struct ctl_pair_burst burst;
	struct ctl_pair_live recent, past;
	uint64_t live_us; /* of the last window */
};

/** What a switch of the machine's own replaced, to go back to when our own link was the culprit. */
struct ctl_pair_undo {
	bool valid;
	uint8_t active, flaps;
	uint64_t at_us, left_us, returned_us, failback_us;
};

struct ctl_pair_state {
	uint8_t phase;  /* enum ctl_pair_phase */
	uint8_t active; /* slot; CTL_PAIR_NONE when the pair has no member */
	bool pinned;
	bool manual; /* the operator switched to a lesser member: no failback until it fails */
	bool cut;
	uint8_t flaps;
	uint8_t failback_slot;
	uint8_t turn; /* slot whose turn is next */
	uint32_t next_probe;
	uint64_t wake_us; /* 0: none */
	uint64_t turn_us, failback_us;
	uint64_t returned_us; /* last switch to a better member */
	uint64_t heard_us;    /* last sign of life from any member */
	uint64_t since_us;    /* of the phase and active member */
	struct ctl_pair_probe failback;
	struct ctl_pair_undo undo;
	struct ctl_pair_member m[DP_PAIR_MEMBERS];
};

/** What survives a restart. Times as in the state. */
struct ctl_pair_saved {
	uint8_t phase, active, flaps;
	bool pinned, manual;
	uint64_t returned_us, since_us, failback_us;
	struct {
		bool draining, disabled;
		bool down; /* from a word only */
		uint64_t left_us;
	} m[DP_PAIR_MEMBERS];
};

/** Make a pair without members: CTL_EV_CHANGE brings them. */
void ctl_pair_init(struct ctl_pair_state *p);

/**
 * Take over what was saved or is in force. Call after the first CTL_EV_CHANGE, then carry out the
 * actions. What names members that are not there is ignored.
 */
void ctl_pair_restore(struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		      const struct ctl_pair_saved *saved, uint64_t now_us,
		      struct ctl_pair_actions *out);
void ctl_pair_save(const struct ctl_pair_state *p, struct ctl_pair_saved *saved);

/** One step. `out` is overwritten. */
void ctl_pair_step(struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		   const struct ctl_pair_event *ev, uint64_t now_us, struct ctl_pair_actions *out);

/**
 * Whether an operator's event cannot be followed now.
 * @param err  Text for the operator, at least CTL_PAIR_TEXT bytes; set when refused.
 * @return 0 or -EINVAL.
 */
int ctl_pair_refuses(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		     const struct ctl_pair_event *ev, char *err);

/** The pair's word, change count 0; 0 when the pair has no member. */
uint64_t ctl_pair_word(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf);

enum ctl_silence { CTL_NOT_ASKED, CTL_HEARD, CTL_SILENT };

/** Whether every member that is asked has left its last probe unanswered: for the detection of a
 * lost link of our own. */
enum ctl_silence ctl_pair_silence(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf);

/** Whether a live request may be tried on the best member now (signal failback). */
bool ctl_pair_signal_open(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
			  uint64_t now_us);

/**
 * The member that a live request may be tried on now: the best one that is better than the active
 * one, or the next such behind `after`, so that each gets its turn.
 * @param after  Slot that was tried last, CTL_PAIR_NONE: none.
 * @return       A slot, or CTL_PAIR_NONE.
 */
unsigned int ctl_pair_signal_slot(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
				  unsigned int after, uint64_t now_us);

/** When the pair may return to the best member, 0: any time. */
uint64_t ctl_pair_hold_until(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf);

/** How long the pair's own members may stay silent before a lost link is considered. */
uint64_t ctl_pair_round_us(const struct ctl_pair_conf *conf);

/** Timeout and number of sends of periodic probes; burst's distance for a member. */
uint64_t ctl_pair_check_timeout(const struct ctl_pair_conf *conf);
uint64_t ctl_pair_force_timeout(const struct ctl_pair_conf *conf);

/**
 * The longest that a dead member which is watched can go unnoticed by its probes alone, in
 * microseconds: it died right behind an answer, so the next probe is one oos-check away, and
 * `fall` probes in a row have to fail, each after probe-timeout. A switch to a member that is known
 * alive (probe-all) comes in the same moment; without one, whoever is alive is asked at once and
 * answers a round trip later. Suspicion from live traffic, ICMP and refused connections are faster.
 * 0: oos-check is 0, and probes alone promise nothing.
 */
uint64_t ctl_pair_detect_bound(const struct ctl_pair_conf *conf);
unsigned int ctl_pair_sends(uint64_t timeout_us);
uint64_t ctl_pair_burst_step(const struct ctl_pair_member *m);

/**
 * Whether an ICMP error (type << 8 | code) is a failure. RFC 3261 18.4: host, network, port and
 * protocol unreachable are; a message too big, a source route that failed and what a router filters
 * are not. IPv6: RFC 4443 3.1.
 */
bool ctl_pair_icmp_counts(uint32_t icmp);

/** Static names: "primary", "up", "tick". The member's is the one word for all its marks. */
const char *ctl_pair_phase_name(unsigned int phase);
const char *ctl_pair_health_name(unsigned int health);
const char *ctl_pair_event_name(unsigned int event);
const char *ctl_pair_member_name(const struct ctl_pair_member *m);

/** Why its last failed probe failed, which for one that is down may not be why it went down: text
 * into buf (CTL_PAIR_TEXT bytes do). @return buf, or NULL when none has failed. */
const char *ctl_pair_last_failure(const struct ctl_pair_member *m, char *buf, size_t size);

/** Where the rule for an event in a phase comes from; NULL: no rule (a defect). */
const char *ctl_pair_rule(unsigned int phase, unsigned int event);
const char *ctl_pair_member_rule(unsigned int health, unsigned int input);
#define CTL_PAIR_INPUTS 5
