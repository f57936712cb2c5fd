/*
 * JSON-RPC 2.0 over a Unix socket: one request a line, one response a line, many clients.
 *
 * A method is a row of a table: its name, its parameters and what they are for, its function.
 * Arguments are checked against the row before the function runs, so that a function only sees
 * what it asked for. It answers at once or later; a client that is gone by then loses nothing but
 * its answer. Control thread.
 *
 * Bounds: a request has at most CTL_RPC_LINE_MAX bytes; a client that does not read its answers is
 * not read from; one that does not read what it follows is let go; at most CTL_RPC_CLIENTS at once.
 * Batches are refused: a line is a request.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CTL_RPC_LINE_MAX   65536u     /* bytes of a request */
#define CTL_RPC_UNREAD_MAX (1u << 18) /* bytes of answers, beyond which no request is taken */
#define CTL_RPC_FOLLOW_MAX (1u << 22) /* bytes that a follower may leave unread */
#define CTL_RPC_CLIENTS    256u
#define CTL_RPC_PARAMS     4

/* JSON-RPC 2.0, section 5.1; those from -32000 on are ours. */
enum ctl_rpc_code {
	CTL_RPC_PARSE = -32700,
	CTL_RPC_INVALID = -32600,
	CTL_RPC_NO_METHOD = -32601,
	CTL_RPC_PARAM = -32602,
	CTL_RPC_INTERNAL = -32603,
	CTL_RPC_REFUSED = -32000,   /* not possible now; the message says why */
	CTL_RPC_NOT_FOUND = -32001, /* no such pair, member, ... */
	CTL_RPC_CONFIG = -32002,    /* the configuration has errors: data.errors */
	CTL_RPC_BUSY = -32003,
};

enum ctl_rpc_type { CTL_RPC_STRING, CTL_RPC_BOOL, CTL_RPC_INTEGER };

struct ctl_rpc_param {
	const char *name;
	enum ctl_rpc_type type;
	bool required;
	const char *help;
};

struct ctl_rpc_call;

struct ctl_rpc_method {
	const char *name;
	const char *help;
	/* Ends, now or later, with exactly one of ctl_rpc_reply() and ctl_rpc_refuse(). */
	void (*fn)(void *context, struct ctl_rpc_call *call);
	struct ctl_rpc_param params[CTL_RPC_PARAMS]; /* up to the first without a name */
};

struct ctl_rpc;

struct ctl_rpc_params {
	struct event_base *base;
	int listener; /* of ctl_rpc_listen(); borrowed */
	const struct ctl_rpc_method *methods;
	size_t n_methods;
	void *context; /* what methods get */
};

/** Serve. @return NULL when out of memory. */
struct ctl_rpc *ctl_rpc_new(const struct ctl_rpc_params *p);

/** Closes all connections; calls that are still open are answered to nobody. */
void ctl_rpc_free(struct ctl_rpc *rpc);

/** Send what is still unsent, for at most timeout_ms: before an orderly end, not from a callback.
 */
void ctl_rpc_flush(struct ctl_rpc *rpc, int timeout_ms);

/** The table as JSON: an array of { name, help, params: [{ name, type, required, help }] }. */
json_t *ctl_rpc_describe(const struct ctl_rpc *rpc);

/* ---- For methods */

/** An argument, or NULL when it was not given. Borrowed until the call ends. */
const char *ctl_rpc_string(const struct ctl_rpc_call *call, const char *param);
bool ctl_rpc_bool(const struct ctl_rpc_call *call, const char *param);
long long ctl_rpc_integer(const struct ctl_rpc_call *call, const char *param, long long otherwise);

/** Who calls: the user's name, or "uid N". Borrowed until the call ends. */
const char *ctl_rpc_who(const struct ctl_rpc_call *call);

struct ctl_rpc *ctl_rpc_of(const struct ctl_rpc_call *call);

/** Answer, and end the call. Takes the result (NULL: out of memory, an internal error). */
void ctl_rpc_reply(struct ctl_rpc_call *call, json_t *result);

/** Refuse with a sentence, and end the call. Takes data (NULL: none). */
void ctl_rpc_refuse(struct ctl_rpc_call *call, enum ctl_rpc_code code, json_t *data,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));

/**
 * Have the call's client get notifications of a topic from now on.
 * @param key  Only those published with this key; NULL: all. Copied.
 * @return 0 or -ENOMEM.
 */
int ctl_rpc_follow(struct ctl_rpc_call *call, const char *topic, const char *key);

/** Notify the followers of a topic: method `topic`, with params. Borrows params. */
void ctl_rpc_publish(struct ctl_rpc *rpc, const char *topic, const char *key, const json_t *params);
