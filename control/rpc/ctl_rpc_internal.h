/* What the server (connections) and the protocol (requests) share. Private to control/rpc. */
#pragma once

#include <event2/bufferevent.h>
#include <sys/queue.h>

#include "control/rpc/ctl_rpc.h"

#define CTL_RPC_WHO_SIZE 64

struct ctl_rpc_topic {
	STAILQ_ENTRY(ctl_rpc_topic) next;
	char *topic;
	char *key; /* NULL: all */
};

struct ctl_rpc_client {
	TAILQ_ENTRY(ctl_rpc_client) next;
	struct ctl_rpc *rpc;
	struct bufferevent *bev;
	LIST_HEAD(, ctl_rpc_call) calls; /* that are not answered yet */
	STAILQ_HEAD(, ctl_rpc_topic) topics;
	char who[CTL_RPC_WHO_SIZE];
	bool busy;   /* its requests are being taken: not to be freed now */
	bool ending; /* goes when all is answered and sent */
	bool doomed; /* goes as soon as it is not busy */
};

struct ctl_rpc_call {
	LIST_ENTRY(ctl_rpc_call) next;
	struct ctl_rpc *rpc;
	struct ctl_rpc_client *client; /* NULL: gone */
	const struct ctl_rpc_method *method;
	json_t *id;     /* NULL: a notification, which has no answer */
	json_t *params; /* object, checked */
	char who[CTL_RPC_WHO_SIZE];
};

struct ctl_rpc {
	struct ctl_rpc_params p;
	struct event *accept;
	TAILQ_HEAD(, ctl_rpc_client) clients;
	size_t n_clients;
};

/** Take one request. */
void ctl_rpc_take(struct ctl_rpc_client *c, const char *line, size_t len);

/** Send one message to a client; takes it. */
void ctl_rpc_send(struct ctl_rpc_client *c, json_t *message);

/** Refuse what is no call: id null. */
void ctl_rpc_send_error(struct ctl_rpc_client *c, json_t *id, enum ctl_rpc_code code,
			const char *text, json_t *data);

/** Let a client go that has nothing to wait for any more. */
void ctl_rpc_settle(struct ctl_rpc_client *c);
