/*
 * A peer over TCP or TLS on loopback, on the prober's event loop, that answers or does any of the
 * things that a broken or hostile server might do.
 */
#pragma once

#include "tests/control/probe_certs.h"
#include "tests/control/probe_server.h"

enum peer_mood {
	PEER_ANSWERS,        /* what its server makes */
	PEER_CLOSES,         /* answers, then closes */
	PEER_CLOSES_FIRST,   /* closes at the request */
	PEER_RESETS,         /* resets at the request */
	PEER_CLOSES_AT_ONCE, /* closes what it has accepted */
	PEER_SILENT,         /* reads, and says nothing */
	PEER_READS_NOTHING,
	PEER_GARBAGE,       /* bytes that are no SIP */
	PEER_HALF,          /* half an answer, then nothing */
	PEER_CLOSES_MIDWAY, /* half an answer, then closes */
	PEER_HUGE,          /* a Content-Length of a gigabyte, and bytes to go with it */
	PEER_NO_LENGTH,     /* no Content-Length */
	PEER_LONG_HEADER,   /* a header without end */
	PEER_DRIPS,         /* the answer byte by byte */
	PEER_PINGS,         /* keep-alives around the answer */
	PEER_FLOODS,        /* keep-alives without end, and reads nothing of what comes */
	PEER_CHATTERS,      /* whole answers to nobody, without end */
	PEER_REQUESTS,      /* a request of its own before the answer */
	PEER_TRIES,         /* 100 first */
};

struct peer_conn;

struct peer {
	struct server sip; /* its account and what it answers; not started */
	struct event_base *base;
	enum peer_mood mood;
	unsigned int once; /* requests for which the mood holds, then PEER_ANSWERS; 0: always */
	uint16_t port;
	int fd;
	struct event *ev;
	void *ssl_ctx; /* NULL: TCP */
	struct peer_conn *conns;
	unsigned int n_accepted, n_requests, n_closed, n_pongs;
	uint16_t from_port; /* of the last connection */
	char sni[256];      /* of the last connection */
	bool has_client_cert;
};

/** @param cert  NULL: TCP. */
void peer_start(struct peer *p, struct event_base *base, const struct cert *cert);

/** Ask clients for a certificate of this authority. */
void peer_ask(struct peer *p, const struct cert *ca);

/** TLS 1.1 and older only. */
void peer_age(struct peer *p);
void peer_stop(struct peer *p);

/** Close what is open. */
void peer_hang_up(struct peer *p);
struct dp_endpoint peer_endpoint(const struct peer *p);
