/*
 * A SIP server of the tests' own on loopback, on the prober's event loop: it answers OPTIONS and
 * REGISTER, and can misbehave in the ways that the prober must see through.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "dataplane/dp_cfg.h"

enum server_mood {
	SERVER_ANSWERS,
	SERVER_SILENT,
	SERVER_TRIES_FIRST,    /* 100 before the final response */
	SERVER_ANSWERS_TWICE,  /* the same response again */
	SERVER_OTHER_PORT,     /* from another socket */
	SERVER_OTHER_CALL_ID,  /* one digit changed */
	SERVER_OTHER_TAG,      /* From tag changed */
	SERVER_OTHER_CSEQ,     /* CSeq number changed */
	SERVER_OTHER_METHOD,   /* CSeq method changed */
	SERVER_OTHER_BRANCH,   /* branch changed */
	SERVER_TWO_VIAS,       /* a second Via below ours */
	SERVER_NO_SIP,         /* "HTTP/1.1 ..." with our branch in it */
	SERVER_BROKEN_STATUS,  /* a status line without a code */
	SERVER_NO_CSEQ,        /* the header is missing */
	SERVER_TRUNCATED,      /* cut behind the branch */
	SERVER_ECHOES_REQUEST, /* the request itself */
};

struct server {
	int fd, other_fd;
	uint16_t port;
	struct event *ev;
	enum server_mood mood;
	unsigned int skip; /* datagrams still to be ignored */
	uint16_t code;
	/* Digest: NULL algorithm means no challenge. */
	const char *algorithm, *qop, *password;
	bool proxy_auth;
	bool stale_once;
	unsigned int n_received, n_options, n_registers, n_authorized;
	char last[4096];              /* last request, NUL-terminated */
	struct sockaddr_storage from; /* of the last request */
	bool v6;
};

void server_start(struct server *s, struct event_base *base, bool v6);
void server_stop(struct server *s);
struct dp_endpoint server_endpoint(const struct server *s);

/** Answer the last request (also when silent). */
void server_answer_last(struct server *s);

/** What it answers to a request, by mood and account; for peers that carry it otherwise. */
void server_make_answer(struct server *s, const char *msg, char *out, size_t size);

/** Value of a header of the last request into out. @return whether it is there. */
bool server_header(const struct server *s, const char *name, char *out, size_t size);
