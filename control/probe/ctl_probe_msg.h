/*
 * The prober's messages: OPTIONS and REGISTER built with libosip2 once per member, as a template
 * in which each probe only puts its own branch, Call-ID, From tag and CSeq.
 *
 * Responses are judged by sip/: libosip2 refuses some that are valid (a To with a host of one
 * character), and a server that answers would be taken for dead; nor should what anybody may send
 * reach more code than it must. libosip2 reads the challenges of a 401 or 407 that was judged.
 * Pure but for libosip2's allocations. Control thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_PROBE_TOKEN 32 /* hex digits of a branch (after z9hG4bK), a Call-ID and a From tag */
#define CTL_PROBE_CSEQ  9  /* digits */

/** What makes one probe's messages its own. */
struct ctl_probe_ids {
	char branch[CTL_PROBE_TOKEN]; /* no NUL */
	char call_id[CTL_PROBE_TOKEN];
	char tag[CTL_PROBE_TOKEN];
	uint32_t cseq; /* 100000000 to 999999999: always nine digits */
};

struct ctl_probe_text {
	char *b; /* owned */
	size_t len;
	size_t branch, call_id, tag, cseq; /* where they stand */
};

/** What a message says apart from that. All borrowed, all valid UTF-8 without control characters.
 */
struct ctl_probe_form {
	bool is_register;
	const char *transport; /* "UDP", "TCP", "TLS" */
	const char *sent_by;   /* "192.0.2.10:40000" */
	const char *uri;       /* Request-URI */
	const char *from;      /* From URI */
	const char *to;        /* To URI */
	const char *user_agent;
	const char *authorization; /* value of the header, NULL: none */
	bool proxy_authorization;  /* it answers a 407 */
	uint32_t max_forwards;
};

/** @return 0, -EINVAL (something in the form is no SIP), -ENOMEM. */
int ctl_probe_text_build(struct ctl_probe_text *t, const struct ctl_probe_form *f);
void ctl_probe_text_fini(struct ctl_probe_text *t);

/** Put a probe's own values into the template. */
void ctl_probe_text_put(struct ctl_probe_text *t, const struct ctl_probe_ids *ids);

/** Fill ids from random bytes. @return 0 or negative errno. */
int ctl_probe_ids_new(struct ctl_probe_ids *ids);

/** A branch's token among the bytes of a datagram, or NULL; cheap, proves nothing. */
const char *ctl_probe_find_branch(const char *buf, size_t len);

#define CTL_PROBE_CHALLENGES 4
#define CTL_PROBE_VALUE      512

/** A digest challenge. */
struct ctl_probe_challenge {
	bool proxy; /* of a 407 */
	bool stale;
	char realm[CTL_PROBE_VALUE], nonce[CTL_PROBE_VALUE], opaque[CTL_PROBE_VALUE];
	char algorithm[32], qop[64]; /* empty: absent */
};

struct ctl_probe_response {
	unsigned int code;
	unsigned int n_challenges;
	struct ctl_probe_challenge challenges[CTL_PROBE_CHALLENGES]; /* in the message's order */
};

/**
 * Parse a response and hold it against the probe it is said to answer.
 * @return 0; -EBADMSG: malformed, not a response, not one Via; -ESRCH: of another branch, Call-ID,
 *         From tag or CSeq.
 */
int ctl_probe_parse(const char *buf, size_t len, const struct ctl_probe_ids *ids, bool is_register,
		    struct ctl_probe_response *r);

/** The digest challenges of a 401 or 407 (r->code) into r. */
void ctl_probe_read_challenges(const char *buf, size_t len, struct ctl_probe_response *r);
