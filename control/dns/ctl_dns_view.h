/*
 * A view: a model as DNS has it now. A pair's `servers` become members, a member's name becomes an
 * address; everything else is the model's own and is borrowed. What comes into force is always a
 * view, so that snapshot, numbers and pairs know addresses only, and a change of an answer is a
 * change of model like a reload's. Control thread.
 *
 * Members of `servers` are named by their addresses ("198.51.100.11:5060"): the same on every
 * instance, and never another's. One that an answer no longer has stays for LINGER behind all
 * others, as a fallback: so that its successor is known alive before it goes, and calls are not
 * sent into nothing between the two.
 */
#pragma once

#include "control/dns/ctl_dns.h"
#include "control/snapshot/ctl_numbers.h"

#define CTL_DNS_LINGER_MS 5000

struct ctl_dns_view {
	/** The last good answer for a name, or NULL. */
	const struct ctl_dns_result *(*find)(const void *arg, const struct ctl_dns_key *key);
	/** What a pair cannot use of an answer; "": all is used. May be NULL. */
	void (*note)(const void *arg, const struct ctl_dns_key *key, const char *pair,
		     const char *member, const char *text);
	const void *arg;
	const struct ctl_model *now;       /* the view in force, or NULL */
	const struct ctl_numbers *numbers; /* for free slots; NULL: all are free */
	uint64_t now_ms;                   /* monotonic */
};

/**
 * Make a view.
 * @param of        The model as it is written. The view keeps it alive.
 * @param again_ms  Out: when a view of the same answers would be another one; 0: never.
 * @return a model, to be freed with ctl_model_free(); NULL when out of memory.
 */
struct ctl_model *ctl_dns_view_new(struct ctl_model *of, const struct ctl_dns_view *v,
				   uint64_t *again_ms);

/** Whether two views of one model have the same members. */
bool ctl_dns_view_same(const struct ctl_model *a, const struct ctl_model *b);
