/*
 * The simulator: instances of the real control plane (control/pair's machine and runtime,
 * control/probe's timers and transactions, the state file's text) in virtual time, over a network
 * and servers that fail by a seed. Everything random is drawn from the seed and nothing else is
 * looked at, so a seed always plays the same. One process plays one seed; one thread.
 *
 * Time: `now_us` is the world's. Each instance has a monotonic clock (the world's from another
 * beginning, standing still while it is paused) and a wall clock that can jump.
 *
 * Who is who: pair p of the world is named "p0".. in configurations; a host is a place where a
 * server may be, 10.1.p.h:5060; a member is a name ("m0"..) that a configuration puts at a host; a
 * slot is the member's place in an instance's runtime.
 */
#pragma once

#include <stdio.h>

#include "control/base/ctl_history.h"
#include "control/pair/ctl_pairs_int.h"
#include "tests/sim/sim_rand.h"

#define SIM_PAIRS     3
#define SIM_HOSTS     6
#define SIM_INSTANCES 2
#define SEC           UINT64_C(1000000)
#define MS            UINT64_C(1000)

struct sim;
struct sim_instance;

/* ---- Servers and paths */

enum sim_mood {
	SIM_ALIVE,
	SIM_SILENT,      /* dead without a trace, or hung */
	SIM_REFUSING,    /* the host lives, its SIP port does not: ICMP port unreachable */
	SIM_UNREACHABLE, /* a router says: ICMP host unreachable */
};

/** What live requests meet, while OPTIONS may be answered well. */
enum sim_live { SIM_LIVE_WELL, SIM_LIVE_FAILS, SIM_LIVE_SILENT };

struct sim_host {
	enum sim_mood mood;
	enum sim_live live;
	uint16_t options_code, register_code;
	uint64_t think_us;   /* until it answers */
	bool digest;         /* REGISTER is challenged */
	bool provisional;    /* a 100 comes first */
	uint64_t generation; /* raised by every fault: a recovery that comes late is none */
};

/** From an instance to a host and back. */
struct sim_path {
	bool cut;
	unsigned int loss, dup, mangle; /* of 1000 datagrams */
	uint64_t delay_us, jitter_us;   /* one way */
	uint64_t generation;
};

/* ---- The queue of what is going to happen */

struct sim_event {
	uint64_t at_us, serial;
	void (*fire)(struct sim *w, struct sim_event *e);
	unsigned int instance, pair, host, kind;
	uint64_t value, epoch;
	size_t len;
	char text[];
};

/* ---- What an instance's probes and traffic showed of a member, seen from outside the machine */

struct sim_burst_seen {
	uint64_t sent_us, step_us;
	uint32_t id;
	bool failed;
};

struct sim_seen {
	uint64_t good_us;     /* last good answer; 0: none */
	uint64_t uneasy_us;   /* last sign of trouble, world time */
	uint64_t doubt_us;    /* first doubt told of a dead active member, world time; 0: none */
	uint64_t failback_us; /* last failback probe sent */
	uint64_t failback_ok_us, signal_ok_us;
	uint64_t live_bad_us; /* last window of failing or slow live requests */
	bool last_good;       /* its last probe was answered well */
	unsigned int bad;     /* probes failed since the last good answer */
	unsigned int good;    /* good answers in a row, since the pair left it */
	unsigned int icmp;    /* branches that ICMP errors ended since the last good answer */
	unsigned int missed;  /* probes failed since nobody is known alive */
	uint64_t icmp_id;
	unsigned int n_burst;
	struct sim_burst_seen burst[CTL_PAIR_BURST];
	uint8_t health;
	uint64_t suspect_us; /* since when it is suspect, world time */
	uint64_t second;     /* in which in_second probes were sent */
	unsigned int in_second;
};

enum sim_truth { SIM_MURKY, SIM_GOOD, SIM_BAD };

/** The referee's own book of a pair at an instance. Monotonic times, but where it says world. */
struct sim_book {
	bool known; /* it is in the runtime */
	uint64_t word;
	uint64_t steady_us;  /* world: since when nothing but servers changed */
	uint64_t settled_us; /* world: when the probes of other settings have ended */
	uint64_t flags;      /* what steady_us depends on */
	bool manual;
	uint64_t conf_us;   /* since when its settings are the same */
	uint64_t active_us; /* since when the active member is the same */
	uint64_t left_us[DP_PAIR_MEMBERS], returned_us;
	unsigned int flaps;
	enum sim_truth truth[DP_PAIR_MEMBERS];
	uint64_t truth_us[DP_PAIR_MEMBERS];  /* world: since when */
	uint64_t rtt_us[DP_PAIR_MEMBERS];    /* at most */
	uint64_t flight_us[DP_PAIR_MEMBERS]; /* world: until then, older answers may come */
	struct sim_seen seen[DP_PAIR_MEMBERS];
	/* The transition under way: its word was set, its notes may still come. */
	bool moving;
	uint64_t from_word;
	uint8_t from_health; /* then */
	bool from_degraded, from_draining, to_good, link_lost;
	unsigned int n_notes;
	char cause[32];
	char phase[16]; /* the last note's: where the next one must begin */
	struct {        /* one window of live traffic */
		uint32_t requests, failed;
		uint64_t delay_us;
	} live[DP_PAIR_MEMBERS];
};

/* ---- Instances */

/** A probe under way, as the wrapper between the runtime and the prober knows it. */
struct sim_probe {
	struct sim_probe *next;
	struct sim_instance *in;
	struct ctl_probe *real;
	ctl_probe_cb cb;
	void *arg;
	struct ctl_pair_send order;
	unsigned int pair, host;
	uint64_t sent_us; /* monotonic */
	char branch[32], call_id[32];
};

struct sim_disk {
	char *text;    /* what is on the disk; NULL: nothing */
	bool frozen;   /* the process is being killed: nothing is written any more */
	char path[96]; /* where ctl_state_read() finds it at a start */
};

struct sim_instance {
	struct sim *w;
	unsigned int id;
	bool up, paused;
	bool quiet; /* starting, stopping: transitions are not judged */
	uint64_t epoch;
	uint64_t base_us, lag_us, paused_us; /* of the monotonic clock */
	uint64_t busy_us;                    /* the process does not get to run before this */
	uint64_t late_us;                    /* so late will its next timer be */
	uint64_t stall_us;                   /* when it last ran late by more than is usual */
	uint64_t wall_us;                    /* wall clock less monotonic clock */
	struct ctl_timers timers;
	struct ctl_prober *prober;
	struct ctl_udp *udp;
	struct ctl_history *history;
	struct ctl_numbers *numbers;
	struct ctl_pairs *ps;
	struct ctl_model *model, *next; /* next: published, not yet applied */
	_Atomic uint64_t words[DP_MAX_PAIRS];
	_Atomic uint32_t trials[DP_MAX_PAIRS];
	struct sim_disk disk;
	struct sim_path path[SIM_PAIRS][SIM_HOSTS];
	struct sim_book book[SIM_PAIRS];
	struct sim_probe *probes;
	struct sim_probe *sending;
	unsigned int ordered; /* bits of pairs under an order of an operator or a reload just now */
	char *last_request;   /* the last probe on the wire */
	size_t last_request_len;
	unsigned int last_request_host, last_request_pair;
};

/** What a seed may do; which faults it knows is part of it. */
struct sim_regime {
	bool slow;  /* periods of some seconds and more: many hours in few events */
	bool clean; /* the network never loses or delays */
	bool gray;  /* windows of live traffic are told, servers fail live requests only */
	bool stalls, pauses, restarts, orders, reloads, attacks, wall;
	uint64_t late_us;    /* timers fire so late at most */
	uint64_t fault_us;   /* mean distance of faults */
	uint64_t request_us; /* mean distance of live requests of a pair; 0: none */
};

struct sim_stats {
	uint64_t pair_us, events, steps, datagrams, probes, requests, transitions, switches, faults,
		restarts, reloads, orders, forged, trials, checks;
	uint64_t by_cause[32];
};

struct sim_options {
	uint64_t seed;
	uint64_t budget; /* events to play */
	bool trace;
	const char *dir; /* for state files */
};

struct sim {
	struct sim_options opt;
	struct sim_rand rand;
	uint64_t now_us, serial, digest;
	unsigned int still; /* events at this very time */
	size_t n_queue, queue_room;
	struct sim_event **queue;
	struct sim_regime regime;
	unsigned int n_instances, n_pairs;
	uint64_t period_us; /* shortest of the settings, for the pace of faults */
	bool healing;       /* no new faults */
	struct sim_host host[SIM_PAIRS][SIM_HOSTS];
	struct sim_instance in[SIM_INSTANCES];
	struct sim_stats stats;
};

/* ---- sim.c */

/** Play a seed to its end. Ends the process with status 1 at the first broken rule. */
void sim_play(struct sim *w, const struct sim_options *opt);

uint64_t sim_mono(const struct sim_instance *in);

/** A new event `in_us` from now, its fields zero; text: room for so many bytes. */
struct sim_event *sim_at(struct sim *w, uint64_t in_us,
			 void (*fire)(struct sim *w, struct sim_event *e), size_t text);

/** A rule is broken: say when, where and what, how to see it again, and end. */
void sim_fail(struct sim *w, const struct sim_instance *in, unsigned int pair, const char *format,
	      ...) __attribute__((format(printf, 4, 5), noreturn));
void sim_trace(struct sim *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Add to the digest of all that happened, by which two runs are compared. */
void sim_digest(struct sim *w, const void *bytes, size_t n);

struct ctl_pairs_pair *sim_pair(const struct sim_instance *in, unsigned int pair);
unsigned int sim_pair_index(const char *name);

/** Slot of a member by name; DP_PAIR_MEMBERS: none. */
unsigned int sim_slot_of(const struct sim_instance *in, unsigned int pair, const char *member);

/** Where a slot's member is; SIM_HOSTS: nowhere. */
unsigned int sim_host_of(const struct ctl_pairs_pair *rp, unsigned int slot);

/* ---- sim_instance.c */

/** Start control: words says whether the data plane still has them. */
void sim_start(struct sim_instance *in, bool words);
/** @param killed  Nothing that waits is written any more. */
void sim_stop(struct sim_instance *in, bool killed);
/** Read a new configuration: the old numbers hold, members that go are let go. */
void sim_reload_begin(struct sim_instance *in);
void sim_reload_end(struct sim_instance *in, bool undo);
/** Run what is due and go on. */
void sim_run_timers(struct sim_instance *in);
void sim_pause(struct sim_instance *in, bool pause);

/* ---- sim_net.c: what stands in for control/probe/ctl_probe_udp.c */

/** Forget what lies in the socket. */
void sim_net_forget(struct sim_instance *in);
/** Something forged arrives. */
void sim_net_attack(struct sim_instance *in);
/** Build the response to a request. @return its length. */
size_t sim_response(const char *request, size_t len, unsigned int code, const char *extra,
		    char *out, size_t size);

/* ---- sim_config.c */

/** Settings and members for a pair, at random; the model of them all, loaded by the real reader. */
struct ctl_model *sim_config(struct sim *w);

/* ---- sim_fault.c, sim_heal.c, sim_traffic.c */
void sim_faults_start(struct sim *w);
void sim_mend_host(struct sim_host *h);
void sim_mend_path(struct sim_path *path);
/** An operator takes back all that was ordered. */
void sim_undo_orders(struct sim_instance *in, unsigned int pair);
void sim_heal(struct sim *w);
/** How long it takes at most, once nothing fails any more, until all is as it should be. */
uint64_t sim_heal_us(const struct sim_instance *in);
void sim_traffic_start(struct sim *w);

/* ---- sim_seen.c: what the world saw an instance learn */
void sim_seen_sent(struct sim_probe *pr);
void sim_seen_result(const struct sim_probe *pr, const struct ctl_probe_result *r);
void sim_seen_cancel(const struct sim_probe *pr);
void sim_seen_live(struct sim_instance *in, unsigned int pair, unsigned int slot,
		   unsigned int code);
/** A trial of signal failback was answered. @return whether well. */
bool sim_seen_trial(struct sim_instance *in, unsigned int pair, unsigned int slot,
		    unsigned int code);
void sim_seen_icmp(struct sim_instance *in, unsigned int pair, unsigned int slot, uint64_t id);
void sim_seen_reset(struct sim_seen *s);
/** Whether there is reason to take a member for dead. */
bool sim_seen_dead(const struct sim_instance *in, unsigned int pair, unsigned int slot);
/** Whether a probe missed its turn since nobody is known alive. */
bool sim_seen_missed(const struct sim_instance *in, unsigned int pair, unsigned int slot);

/* ---- sim_judge.c: the rules about one transition */
void sim_judge_word(struct sim_instance *in, unsigned int pair, uint64_t word);
void sim_judge_note(void *instance, const json_t *event);
/** The end of a step: what is under way is judged now. */
void sim_judge_end(struct sim_instance *in, unsigned int pair);
/** Members' health where no word was set. */
void sim_judge_health(struct sim_instance *in, unsigned int pair);
/** The causes of stats.by_cause; NULL: no more. */
const char *sim_cause(unsigned int i);

/** A word's bits: nobody is known to be alive. */
static inline bool sim_lost(uint64_t word)
{
	return (word & (DP_WORD_UNKNOWN | DP_WORD_OUT_OF_SERVICE)) != 0;
}

/* ---- sim_check.c: the rules that hold at all times */
void sim_check(struct sim_instance *in);
/** The rules that look at every timer and probe: dearer, so not after every event. */
void sim_check_deep(struct sim_instance *in);
/** After the end of all faults: whether all is as it should be; insist: it is a failure if not. */
bool sim_is_healed(const struct sim_instance *in, bool insist);

/* ---- sim_watch.c: the rules about time */
void sim_watch(struct sim_instance *in, unsigned int pair);
/** Servers or paths have changed. */
void sim_watch_truth(struct sim *w);
/** An instance's own troubles begin all waits anew. */
void sim_watch_restart(struct sim_instance *in);
void sim_watch_reload(struct sim_instance *in);
/** Take the machine's own word for what a restart has made of the past. */
void sim_book_adopt(struct sim_instance *in, unsigned int pair);
/** When a slot may get the pair back, monotonic; 0: any time. The referee's own count. */
uint64_t sim_hold_end(const struct sim_instance *in, unsigned int pair, unsigned int slot);
