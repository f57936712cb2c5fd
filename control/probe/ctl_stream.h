/*
 * A connection of the prober's to one member: TCP, or TLS over it, non-blocking on the event loop.
 * It frames what comes (sip/sip_frame.h), answers keep-alives, and bounds what a hostile peer can
 * make us hold: a message is at most CTL_STREAM_MESSAGE bytes, and between two calls of
 * ctl_stream_expect() at most CTL_STREAM_TAKEN are taken at all.
 *
 * Opening may race several attempts, since TCP repeats a lost SYN only after a second: the first
 * one to be connected wins, and the others are closed.
 *
 * Callbacks never run within a call of these functions; within one, the stream may be freed.
 * Control thread.
 */
#pragma once

#include <event2/event.h>

#include "control/pair/ctl_pair.h"
#include "control/probe/ctl_tls.h"
#include "dataplane/dp_cfg.h"

#define CTL_STREAM_ATTEMPTS 3
#define CTL_STREAM_HEADER   16384
#define CTL_STREAM_MESSAGE  65536
#define CTL_STREAM_TAKEN    (4 * CTL_STREAM_MESSAGE)

struct ctl_stream;

struct ctl_stream_handler {
	/** It can be written to. */
	void (*ready)(void *arg);
	/** A whole message; borrowed. */
	void (*message)(void *arg, const char *buf, size_t len);
	/** It has failed and is to be freed: CTL_ERROR_STREAM or CTL_ERROR_TLS, with its detail. */
	void (*closed)(void *arg, enum ctl_pair_error error, uint32_t detail);
};

struct ctl_stream_params {
	struct event_base *base;
	struct dp_endpoint to;
	struct sip_ip from;      /* source address; all zero: the kernel's choice */
	struct ctl_tls_ctx *tls; /* NULL: plain TCP; borrowed for the stream's life */
	const char *name;        /* whom the certificate must name; likewise */
};

/**
 * Begin to connect.
 * @param h    Borrowed for the stream's life.
 * @param out  The stream.
 * @return     0 or negative errno: something here hinders it.
 */
int ctl_stream_open(const struct ctl_stream_params *p, const struct ctl_stream_handler *h,
		    void *arg, struct ctl_stream **out);

/** One more attempt, while it is not connected and there are fewer than CTL_STREAM_ATTEMPTS. What
 * hinders it does not matter: others are under way. */
void ctl_stream_attempt(struct ctl_stream *s);

/** Closes it, without a callback; NULL is fine. */
void ctl_stream_free(struct ctl_stream *s);

/** Whose it is from now on. */
void ctl_stream_give(struct ctl_stream *s, const struct ctl_stream_handler *h, void *arg);

enum ctl_stream_stage { CTL_STREAM_CONNECTING, CTL_STREAM_SHAKING, CTL_STREAM_READY };
enum ctl_stream_stage ctl_stream_stage(const struct ctl_stream *s);

/** Our address and port, once it is ready. */
const struct dp_endpoint *ctl_stream_local(const struct ctl_stream *s);

/** @return 0, -ENOMEM. */
int ctl_stream_write(struct ctl_stream *s, const char *buf, size_t len);

/** Something is awaited from now on: what came before is forgiven. */
void ctl_stream_expect(struct ctl_stream *s);

/** How often that was said. */
unsigned int ctl_stream_uses(const struct ctl_stream *s);
