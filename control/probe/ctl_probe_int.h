/*
 * Inside the prober: probes, targets, the table of branches. Only for control/probe/.
 */
#pragma once

#include "control/probe/ctl_probe.h"
#include "control/probe/ctl_probe_msg.h"
#include "control/probe/ctl_probe_udp.h"
#include "control/probe/ctl_stream.h"

#define CTL_PROBE_T1_US CTL_PAIR_T1_US
/* A send that failed here is told so much later: that its netdev has gone, and the clock is to be
 * stopped, may be on its way. */
#define CTL_PROBE_FAIL_US 50000u

struct ctl_target {
	struct ctl_prober *prober;
	struct dp_endpoint at;
	struct sip_ip from;
	char *host, *from_uri, *user_agent, *user, *password; /* owned; NULL as in the params */
	char *tls_name;                                       /* owned */
	uint32_t max_forwards;
	void (*lost)(void *lost_arg);
	void *lost_arg;
	size_t n_probes;
	struct ctl_udp_sock *sock; /* UDP */
	struct ctl_tls_ctx *tls;   /* TLS */
	struct ctl_stream *idle;   /* TCP, TLS: kept for the next probe; NULL: none */
	struct sip_ip source;      /* that the templates name, with its port */
	uint16_t source_port;
	uint64_t source_at_us;         /* UDP: when it was looked up; 0: never */
	struct ctl_probe_text text[2]; /* OPTIONS, REGISTER */
};

/** Have a socket and an up-to-date template (UDP). @return 0 or negative errno. */
int ctl_target_ready(struct ctl_target *t, bool is_register, uint64_t now_us);

/** Have a template that names a connection's own end. @return 0 or negative errno. */
int ctl_target_ready_from(struct ctl_target *t, bool is_register, const struct dp_endpoint *local);

/** A REGISTER that answers a challenge. @return 0 or negative errno. */
int ctl_target_credentials(const struct ctl_target *t, const struct ctl_probe_response *r,
			   struct ctl_probe_text *text);

static inline bool ctl_target_is_stream(const struct ctl_target *t)
{
	return t->at.transport != DP_UDP;
}

struct ctl_probe {
	struct ctl_timer timer; /* first: what is next: a send, an attempt, or an end */
	struct ctl_probe *next; /* in its bucket */
	struct ctl_target *t;
	struct ctl_probe_ids ids;
	uint64_t key;
	ctl_probe_cb cb;
	void *arg;
	bool is_register;
	bool proceeding; /* a provisional response has come */
	unsigned int n_sends, sent, attempts;
	uint64_t spread_us, first_us, wait_us;
	struct ctl_probe_text own; /* with credentials; b NULL: the target's template */
	bool failed;    /* here; told after CTL_PROBE_FAIL_US unless the clock was stopped */
	uint32_t stops; /* of the clock, when it failed */
	struct ctl_probe_result result;
	/* Over a stream */
	struct ctl_stream *stream; /* carries this probe alone */
	bool may_reopen;         /* it served before: that it was closed meanwhile is no failure */
	unsigned int n_connects; /* attempts to connect */
	uint64_t begun_us, timeout_us;
};

/* ---- ctl_probe_table.c: probes by branch, and branches that ended lately */

enum ctl_probe_end { CTL_PROBE_END_ANSWERED, CTL_PROBE_END_GIVEN_UP };

struct ctl_probe_ended {
	uint64_t key;
	enum ctl_probe_end how;
};

struct ctl_probe_table {
	struct ctl_probe **buckets;
	size_t n_buckets, n_probes;
	struct ctl_probe_ended *ended;
};

/** @return 0 or -ENOMEM. */
int ctl_probe_table_init(struct ctl_probe_table *p);
void ctl_probe_table_fini(struct ctl_probe_table *p);
void ctl_probe_table_insert(struct ctl_probe_table *p, struct ctl_probe *pr);
void ctl_probe_table_remove(struct ctl_probe_table *p, struct ctl_probe *pr,
			    enum ctl_probe_end how);
struct ctl_probe *ctl_probe_table_find(const struct ctl_probe_table *p, const char *token);

/** Why a message whose branch is none of the open ones'. */
enum ctl_probe_count ctl_probe_table_stray(const struct ctl_probe_table *p, const char *token);

/* ---- The prober */

struct ctl_prober {
	struct event_base *base;
	struct ctl_timers *timers;
	struct ctl_udp *udp;
	struct ctl_tls *tls;
	struct ctl_probe_table table;
	size_t n_targets;
	uint64_t counts[CTL_PROBE_COUNTS];
};

/** The prober's time, which may stand still. */
static inline uint64_t ctl_probe_now(const struct ctl_prober *p)
{
	return p->timers->now_us(p->timers->arg);
}

/** Something here hinders it: tell later, or try again if the clock was stopped meanwhile. */
void ctl_probe_hindered(struct ctl_probe *pr, uint64_t now_us, int err);

/** It has failed: tell at once. */
void ctl_probe_fail(struct ctl_probe *pr, enum ctl_pair_error error, uint32_t detail);

/** A message with the probe's branch, from where it must come from. */
void ctl_probe_response(struct ctl_probe *pr, const char *buf, size_t len);

/* ---- ctl_probe_stream.c */

void ctl_probe_stream_begin(struct ctl_probe *pr, uint64_t now_us);
void ctl_probe_stream_timer(struct ctl_probe *pr, uint64_t now_us);

/** Send (again, with other credentials) on the probe's connection. */
void ctl_probe_stream_send(struct ctl_probe *pr);

/** The probe ends: its connection is kept for the next one if it was answered, else closed. */
void ctl_probe_stream_end(struct ctl_probe *pr, enum ctl_probe_end how);
