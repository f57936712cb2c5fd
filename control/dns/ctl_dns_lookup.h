/*
 * Looking one name up: NAPTR, then SRV, then addresses (RFC 3263 4), as a machine that asks
 * questions through struct ctl_dns_io and gets replies; no sockets, no clock. Control thread.
 */
#pragma once

#include "control/dns/ctl_dns_msg.h"
#include "control/dns/ctl_dns_order.h"

#define CTL_DNS_TARGETS   32  /* of a name: their addresses are looked up, the rest is left out */
#define CTL_DNS_SERVERS   128 /* addresses in all; the rest is left out */
#define CTL_DNS_TEXT      256
#define CTL_DNS_FAMILY_V4 1u
#define CTL_DNS_FAMILY_V6 2u
#define CTL_DNS_DEFAULT_TTL                                                   \
	300u /* seconds, where an empty answer does not say how long it holds \
	      */

/** What came of a question. */
struct ctl_dns_reply {
	const uint8_t *msg; /* NULL: there was no answer, `error` says why */
	size_t len;
	const char *error; /* "timeout", "SERVFAIL", ... */
};

typedef void (*ctl_dns_reply_cb)(void *cb_arg, const struct ctl_dns_reply *r);

/** Who asks for us. */
struct ctl_dns_io {
	/**
	 * Ask. cb is called once, perhaps before this returns.
	 * @return a handle for forget() that is valid until cb is called; NULL: cb has been called.
	 */
	void *(*ask)(void *arg, const char *name, uint16_t type, ctl_dns_reply_cb cb, void *cb_arg);
	/** Have cb never called. */
	void (*forget)(void *arg, void *question);
	void *arg;
};

/** What to look up. */
struct ctl_dns_spec {
	const char *name;      /* small letters */
	bool srv;              /* NAPTR and SRV first; else addresses only */
	uint8_t transport;     /* enum dp_transport */
	uint16_t port;         /* without SRV */
	unsigned int families; /* CTL_DNS_FAMILY_*: which addresses are of use */
};

/** What a name stands for. */
struct ctl_dns_result {
	size_t n;
	struct ctl_dns_server *servers; /* unordered; targets are within `names` */
	char *names;
	bool by_naptr, by_srv;
	uint32_t ttl_s;
};

void ctl_dns_result_fini(struct ctl_dns_result *r);

/** Take over: `to` is freed first, `from` is empty afterwards. */
void ctl_dns_result_move(struct ctl_dns_result *to, struct ctl_dns_result *from);

/** A copy of servers with their targets. @return 0 or -ENOMEM (to is empty). */
int ctl_dns_result_copy(struct ctl_dns_result *to, const struct ctl_dns_result *from);

/** The outcome. */
struct ctl_dns_outcome {
	bool good;                    /* result holds servers */
	struct ctl_dns_result result; /* may be taken with ctl_dns_result_move() */
	char error[CTL_DNS_TEXT]; /* why it is not good; or, of a good one, which part failed and is
				     as it was before ("": none) */
	char refused[CTL_DNS_TEXT]; /* what made no sense and was left out, "": nothing */
};

typedef void (*ctl_dns_done_cb)(void *arg, struct ctl_dns_outcome *o);

struct ctl_dns_lookup;

/**
 * Make a lookup; ctl_dns_lookup_start() begins it.
 * @param spec  Borrowed until the end.
 * @param last  The last good result, borrowed until the end, or NULL: what it got by NAPTR or SRV
 * is not given up because a question fails, and its addresses stand in for a target whose own are
 * not to be had.
 * @param done  Called once, unless the lookup is freed before; it is freed when done returns.
 * @return NULL when out of memory.
 */
struct ctl_dns_lookup *ctl_dns_lookup_new(const struct ctl_dns_io *io,
					  const struct ctl_dns_spec *spec,
					  const struct ctl_dns_result *last, ctl_dns_done_cb done,
					  void *arg);

/** Begin asking; done may be called before this returns. */
void ctl_dns_lookup_start(struct ctl_dns_lookup *l);

/** Give up before done was called, not from within a callback. NULL is fine. */
void ctl_dns_lookup_free(struct ctl_dns_lookup *l);
