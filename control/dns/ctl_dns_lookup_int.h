/*
 * Inside a lookup: its questions, and what has been found so far. Only for ctl_dns_lookup.c
 * (questions, addresses) and ctl_dns_service.c (NAPTR, SRV).
 */
#pragma once

#include "control/dns/ctl_dns_lookup.h"

#define CTL_DNS_CANDIDATES 8  /* NAPTR records that are followed */
#define CTL_DNS_ADDRESSES  16 /* of a target */

/* An SRV record that is followed, or the name itself with its port. */
struct ctl_dns_pick {
	uint16_t priority, weight, port;
	unsigned int host;
};

/* A target and its addresses. */
struct ctl_dns_host {
	char name[CTL_DNS_NAME_SIZE];
	unsigned int n;
	struct sip_ip ip[CTL_DNS_ADDRESSES];
	unsigned int failed; /* CTL_DNS_FAMILY_*: whose question failed */
};

struct ctl_dns_question {
	struct ctl_dns_lookup *l;
	void (*answered)(struct ctl_dns_question *q, const struct ctl_dns_answer *a,
			 const char *error);
	void *handle;
	bool open;
	uint16_t type;
	unsigned int host;
	unsigned int restarts;
	char name[CTL_DNS_NAME_SIZE];
};

struct ctl_dns_lookup {
	const struct ctl_dns_io *io;
	const struct ctl_dns_spec *spec;
	const struct ctl_dns_result *last;
	ctl_dns_done_cb done;
	void *arg;
	unsigned int depth, n_open;
	bool over;
	struct ctl_dns_outcome out;
	uint32_t ttl_s;
	struct ctl_dns_question one; /* NAPTR and SRV */
	unsigned int n_candidates, n_naptr, next_candidate;
	char candidates[CTL_DNS_CANDIDATES + 1][CTL_DNS_NAME_SIZE]; /* names that may have SRV */
	char trouble[CTL_DNS_TEXT]; /* of a candidate that was of no use */
	unsigned int n_picks, n_hosts;
	struct ctl_dns_pick picks[CTL_DNS_TARGETS];
	struct ctl_dns_host hosts[CTL_DNS_TARGETS];
	struct ctl_dns_question addresses[2 * CTL_DNS_TARGETS];
};

typedef void (*ctl_dns_answered_fn)(struct ctl_dns_question *q, const struct ctl_dns_answer *a,
				    const char *error);

/** Add a remark to those that are there; what has no room is left out. */
void ctl_dns_add_text(char text[CTL_DNS_TEXT], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** End without a result. */
void ctl_dns_fail(struct ctl_dns_lookup *l, const char *text);

/** Ask one question; NAPTR and SRV come one after the other. */
void ctl_dns_ask_one(struct ctl_dns_lookup *l, const char *name, uint16_t type,
		     ctl_dns_answered_fn answered);

/** Index of a target among the lookup's hosts; there is room for CTL_DNS_TARGETS. */
unsigned int ctl_dns_host_of(struct ctl_dns_lookup *l, const char *name);

/** Ask for the addresses of all hosts; the end of the lookup. */
void ctl_dns_ask_addresses(struct ctl_dns_lookup *l);

/** RFC 3263 4.2: the name's own addresses, at its port or the transport's own (RFC 3261 19.1.2). */
void ctl_dns_plain_addresses(struct ctl_dns_lookup *l);

/** The answer to the first question of a name that is looked up by NAPTR and SRV. */
void ctl_dns_on_naptr(struct ctl_dns_question *q, const struct ctl_dns_answer *a,
		      const char *error);
