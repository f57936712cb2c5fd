/*
 * Connections: lines in, lines out, within bounds. Control thread.
 *
 * A client is freed in one place (client_free), never while its own requests are being taken.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "control/rpc/ctl_rpc_internal.h"

enum {
	REQUESTS_A_TURN = 16, /* of one client, before others get theirs */
	NAMES_MAX = 65536,    /* lines of /etc/passwd that are looked at */
};

/* ---- Who calls */

/* From the file and not by getpwuid(3), whose sources may be across the network. */
static bool name_of(uid_t uid, char *out, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *p;
	bool found = false;

	if (!f)
		return false;
	for (int i = 0; !found && i < NAMES_MAX && (p = fgetpwent(f)) != NULL; i++) {
		found = p->pw_uid == uid;
		if (found)
			snprintf(out, size, "%s", p->pw_name);
	}
	fclose(f);
	return found;
}

static void say_who(int fd, char *out, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		snprintf(out, size, "unknown");
	else if (!name_of(cred.uid, out, size))
		snprintf(out, size, "uid %u", (unsigned int)cred.uid);
}

/* ---- Life of a client */

static size_t unsent(const struct ctl_rpc_client *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void client_free(struct ctl_rpc_client *c)
{
	struct ctl_rpc_call *call;
	struct ctl_rpc_topic *t;

	LIST_FOREACH (call, &c->calls, next)
		call->client = NULL;
	/* The calls are now in nobody's list: each is its own. */
	while ((call = LIST_FIRST(&c->calls)) != NULL) {
		LIST_REMOVE(call, next);
		call->next.le_next = NULL;
		call->next.le_prev = &call->next.le_next;
	}
	while ((t = STAILQ_FIRST(&c->topics)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->topics, next);
		free(t->topic);
		free(t->key);
		free(t);
	}
	TAILQ_REMOVE(&c->rpc->clients, c, next);
	c->rpc->n_clients--;
	bufferevent_free(c->bev);
	free(c);
}

static bool is_done(const struct ctl_rpc_client *c)
{
	return c->ending && LIST_EMPTY(&c->calls) && unsent(c) == 0
	       && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0;
}

void ctl_rpc_settle(struct ctl_rpc_client *c)
{
	if (!c->busy && (c->doomed || is_done(c)))
		client_free(c);
}

void ctl_rpc_send(struct ctl_rpc_client *c, json_t *message)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	struct evbuffer *out = bufferevent_get_output(c->bev);

	json_decref(message);
	/* A client that would wait for an answer that got lost is better off without us. */
	if (!text || evbuffer_add(out, text, strlen(text)) < 0 || evbuffer_add(out, "\n", 1) < 0)
		c->doomed = true;
	free(text);
}

/* ---- Requests */

/* The next request; the last one may lack its newline. The caller frees it. */
static char *next_line(struct ctl_rpc_client *c, size_t *len)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	char *line = evbuffer_readln(in, len, EVBUFFER_EOL_LF);

	if (line || !c->ending || evbuffer_get_length(in) == 0)
		return line;
	*len = evbuffer_get_length(in);
	line = malloc(*len);
	if (line)
		evbuffer_remove(in, line, *len);
	return line;
}

static void refuse_long(struct ctl_rpc_client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	ctl_rpc_send_error(c, NULL, CTL_RPC_INVALID, "request too long: at most 65536 bytes a line",
			   NULL);
	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_disable(c->bev, EV_READ);
	c->ending = true;
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	}
	return true;
}

/* @return whether there may be more. */
static bool take_line(struct ctl_rpc_client *c)
{
	size_t len;
	char *line;

	if (c->doomed || unsent(c) > CTL_RPC_UNREAD_MAX)
		return false;
	line = next_line(c, &len);
	if (!line)
		len = evbuffer_get_length(bufferevent_get_input(c->bev));
	if (len > CTL_RPC_LINE_MAX)
		refuse_long(c);
	else if (line && !is_blank(line, len))
		ctl_rpc_take(c, line, len);
	free(line);
	return line != NULL;
}

/* A client that does not read is not read from. (Left enabled with a full buffer, libevent would
 * call again and again.) */
static void throttle(struct ctl_rpc_client *c)
{
	if (unsent(c) > CTL_RPC_UNREAD_MAX)
		bufferevent_disable(c->bev, EV_READ);
	else if (!c->ending)
		bufferevent_enable(c->bev, EV_READ);
}

static void take_lines(struct ctl_rpc_client *c)
{
	int i = 0;

	c->busy = true;
	while (i < REQUESTS_A_TURN && take_line(c))
		i++;
	c->busy = false;
	throttle(c);
	if (i == REQUESTS_A_TURN)
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	ctl_rpc_settle(c);
}

/* There is something to read; or all is sent, which makes room for what was not taken yet. */
static void on_ready(struct bufferevent *bev, void *arg)
{
	(void)bev;
	take_lines(arg);
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	struct ctl_rpc_client *c = arg;

	(void)bev;
	if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING)) {
		/* It has said all it has to say, but may still wait for answers. */
		c->ending = true;
		take_lines(c);
		return;
	}
	c->doomed = true;
	ctl_rpc_settle(c);
}

/* ---- Connections */

static void turn_away(int fd)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32003,\"message\":\"too "
		"many clients: 256 are connected already\"}}\n";
	ssize_t n = send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n; /* a courtesy */
	close(fd);
}

static void client_new(struct ctl_rpc *rpc, int fd)
{
	struct ctl_rpc_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->bev = bufferevent_socket_new(rpc->p.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev) {
		close(fd);
		free(c);
		return;
	}
	c->rpc = rpc;
	LIST_INIT(&c->calls);
	STAILQ_INIT(&c->topics);
	say_who(fd, c->who, sizeof(c->who));
	TAILQ_INSERT_TAIL(&rpc->clients, c, next);
	rpc->n_clients++;
	bufferevent_setcb(c->bev, on_ready, on_ready, on_end, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, CTL_RPC_LINE_MAX + 1);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct ctl_rpc *rpc = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0)
		return;
	if (rpc->n_clients >= CTL_RPC_CLIENTS)
		turn_away(fd);
	else
		client_new(rpc, fd);
}

struct ctl_rpc *ctl_rpc_new(const struct ctl_rpc_params *p)
{
	struct ctl_rpc *rpc = calloc(1, sizeof(*rpc));

	if (!rpc)
		return NULL;
	rpc->p = *p;
	TAILQ_INIT(&rpc->clients);
	rpc->accept = event_new(p->base, p->listener, EV_READ | EV_PERSIST, on_accept, rpc);
	if (!rpc->accept || event_add(rpc->accept, NULL) < 0) {
		ctl_rpc_free(rpc);
		return NULL;
	}
	return rpc;
}

void ctl_rpc_free(struct ctl_rpc *rpc)
{
	struct ctl_rpc_client *c;

	if (!rpc)
		return;
	while ((c = TAILQ_FIRST(&rpc->clients)) != NULL)
		client_free(c);
	if (rpc->accept)
		event_free(rpc->accept);
	free(rpc);
}

static bool all_sent(const struct ctl_rpc *rpc)
{
	const struct ctl_rpc_client *c;

	TAILQ_FOREACH (c, &rpc->clients, next) {
		if (unsent(c) > 0)
			return false;
	}
	return true;
}

void ctl_rpc_flush(struct ctl_rpc *rpc, int timeout_ms)
{
	for (int waited = 0; !all_sent(rpc) && waited < timeout_ms; waited += 5) {
		event_base_loop(rpc->p.base, EVLOOP_NONBLOCK);
		if (!all_sent(rpc))
			usleep(5000);
	}
}

/* ---- Following */

int ctl_rpc_follow(struct ctl_rpc_call *call, const char *topic, const char *key)
{
	struct ctl_rpc_topic *t;

	if (!call->client)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->topic = strdup(topic);
	t->key = key ? strdup(key) : NULL;
	if (!t->topic || (key && !t->key)) {
		free(t->topic);
		free(t->key);
		free(t);
		return -ENOMEM;
	}
	STAILQ_INSERT_TAIL(&call->client->topics, t, next);
	return 0;
}

static bool follows(const struct ctl_rpc_client *c, const char *topic, const char *key)
{
	const struct ctl_rpc_topic *t;

	STAILQ_FOREACH (t, &c->topics, next) {
		if (strcmp(t->topic, topic) == 0 && (!t->key || (key && strcmp(t->key, key) == 0)))
			return true;
	}
	return false;
}

static void notify(struct ctl_rpc_client *c, const char *topic, const json_t *params)
{
	if (unsent(c) > CTL_RPC_FOLLOW_MAX) {
		ctl_log(LOG_WARNING, "a client of %s that does not read what it follows is let go",
			c->who);
		c->doomed = true;
	} else {
		ctl_rpc_send(c, json_pack("{s:s, s:s, s:O}", "jsonrpc", "2.0", "method", topic,
					  "params", params));
	}
	ctl_rpc_settle(c);
}

void ctl_rpc_publish(struct ctl_rpc *rpc, const char *topic, const char *key, const json_t *params)
{
	struct ctl_rpc_client *c, *next;

	for (c = TAILQ_FIRST(&rpc->clients); c; c = next) {
		next = TAILQ_NEXT(c, next);
		if (!c->doomed && follows(c, topic, key))
			notify(c, topic, params);
	}
}
