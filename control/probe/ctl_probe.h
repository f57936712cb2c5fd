/*
 * The prober: SIP client transactions of control's own. An order names a member's target and how
 * often to send; the answer, or an error that ends it at once, comes back once. Nobody else's probe
 * waits for a slow or hostile server.
 *
 * A response counts only if it comes from the target's address and port (over a stream: on the
 * probe's own connection) and matches branch, Call-ID, From tag and CSeq, all unguessable; anything
 * else is counted by reason and never taken as life. Control thread.
 */
#pragma once

#include <event2/event.h>

#include "control/pair/ctl_pair.h"
#include "control/probe/ctl_timers.h"
#include "control/probe/ctl_tls.h"
#include "dataplane/dp_cfg.h"

struct ctl_prober;
struct ctl_target;
struct ctl_probe;

enum ctl_probe_count {
	CTL_PROBE_SENT,          /* datagrams or stream messages */
	CTL_PROBE_ANSWERED,      /* transactions that a final response ended */
	CTL_PROBE_PROVISIONAL,   /* 1xx */
	CTL_PROBE_CHALLENGED,    /* 401 and 407 that were answered */
	CTL_PROBE_FAILED,        /* transactions that an error ended */
	CTL_PROBE_CONNECTED,     /* connections made */
	CTL_PROBE_BROKEN,        /* transactions that a connection's failure ended */
	CTL_PROBE_TLS_FAILED,    /* transactions that TLS's failure ended */
	CTL_PROBE_LOST,          /* sends that the kernel had no room for */
	CTL_PROBE_MALFORMED,     /* no SIP response, or a broken one */
	CTL_PROBE_MISMATCHED,    /* right branch, wrong Call-ID, From tag or CSeq */
	CTL_PROBE_LATE,          /* of a probe that was given up */
	CTL_PROBE_DUPLICATE,     /* of a probe that was answered before */
	CTL_PROBE_OTHER_BRANCH,  /* of no probe of ours */
	CTL_PROBE_OTHER_ADDRESS, /* right branch, from another address or port */
	CTL_PROBE_ICMP,          /* errors that quote a probe of ours */
	CTL_PROBE_ICMP_UNPROVEN, /* errors that do not */
	CTL_PROBE_COUNTS,
};

/** "sent", "other-address". */
const char *ctl_probe_count_name(enum ctl_probe_count c);

/** @return NULL when out of memory. */
struct ctl_prober *ctl_prober_new(struct event_base *base, struct ctl_timers *timers);

/** All targets must have been freed. */
void ctl_prober_free(struct ctl_prober *p);

/** The time of its timers (struct ctl_timers' now_us). */
uint64_t ctl_prober_now_us(const struct ctl_prober *p);

const uint64_t *ctl_prober_counts(const struct ctl_prober *p);

/** Whom to probe. Strings are copied. */
struct ctl_target_params {
	struct dp_endpoint at;
	struct sip_ip from;          /* source address; all zero: the kernel's choice */
	const char *host;            /* in the Request-URI; NULL: the address */
	const char *from_uri;        /* NULL: sip:sipsteer@<source address> */
	const char *user_agent;      /* NULL: sipsteer/<version> */
	const char *user, *password; /* NULL: REGISTER is sent without credentials */
	uint32_t max_forwards;
	/* TLS */
	struct ctl_tls_files tls;
	const char *tls_name; /* whom the certificate must name; NULL: the host, or the address */
	/* TCP, TLS: a connection that had served for several probes was closed while it waited for
	 * the next one. May be NULL. It must not free the target. */
	void (*lost)(void *lost_arg);
	void *lost_arg;
};

/** @return NULL when out of memory. */
struct ctl_target *ctl_target_new(struct ctl_prober *p, const struct ctl_target_params *params);

/** Its probes must have ended or been cancelled. */
void ctl_target_free(struct ctl_target *t);

struct ctl_probe_result {
	bool answered;
	uint16_t code;   /* status code, or enum ctl_pair_error */
	uint32_t detail; /* of an error: see ctl_pair.h */
	uint32_t rtt_us; /* 0: not measurable, since it was sent more than once (Karn) */
};

/** The probe is gone when this returns. */
typedef void (*ctl_probe_cb)(void *arg, const struct ctl_probe_result *r);

/**
 * Begin a probe. It sends until it is answered, fails or is cancelled: the deadline is the owner's.
 * The callback never runs within this call.
 * @return NULL when out of memory.
 */
struct ctl_probe *ctl_probe_send(struct ctl_target *t, const struct ctl_pair_send *order,
				 ctl_probe_cb cb, void *arg);

/** End it without callback. What is answered later is late. */
void ctl_probe_cancel(struct ctl_probe *pr);
