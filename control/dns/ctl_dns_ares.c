/*
 * c-ares 1.18 has no way to forget a single question, so a forgotten one stays with it, deaf, until
 * it is answered or times out.
 */
#include "control/dns/ctl_dns_ares.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/ctl_log.h"

/* What fits into one datagram of most paths (DNS flag day 2020); a larger answer comes by TCP. */
#define EDNS_SIZE 1232

struct watch {
	struct watch *next;
	struct ctl_dns_ares *r;
	ares_socket_t fd;
	struct event *read, *write;
};

struct call {
	struct call *next, **at; /* among those that c-ares has */
	struct ctl_dns_ares *r;
	ctl_dns_reply_cb cb; /* NULL: forgotten */
	void *cb_arg;
};

struct ctl_dns_ares {
	struct event_base *base;
	struct event *timer;
	struct watch *watches;
	struct call *calls;
	struct ctl_dns_io io;
	ares_channel channel;
};

/* ---- Time */

static void plan(struct ctl_dns_ares *r)
{
	struct timeval tv;

	if (ares_timeout(r->channel, NULL, &tv))
		evtimer_add(r->timer, &tv);
	else
		evtimer_del(r->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_dns_ares *r = arg;

	(void)fd;
	(void)what;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	plan(r);
}

/* ---- Sockets */

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_dns_ares *r = arg;

	ares_process_fd(r->channel, what & EV_READ ? (ares_socket_t)fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? (ares_socket_t)fd : ARES_SOCKET_BAD);
	plan(r);
}

static void watch_end(struct watch *w)
{
	if (w->read)
		event_free(w->read);
	if (w->write)
		event_free(w->write);
	free(w);
}

static void let_go(struct ctl_dns_ares *r, ares_socket_t fd)
{
	struct watch **at = &r->watches, *w;

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	w = *at;
	if (!w)
		return;
	*at = w->next;
	watch_end(w);
}

static struct watch *watch_of(struct ctl_dns_ares *r, ares_socket_t fd)
{
	struct watch *w = r->watches;

	while (w && w->fd != fd)
		w = w->next;
	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->r = r;
	w->fd = fd;
	w->read = event_new(r->base, fd, EV_READ | EV_PERSIST, on_socket, r);
	w->write = event_new(r->base, fd, EV_WRITE | EV_PERSIST, on_socket, r);
	if (!w->read || !w->write) {
		watch_end(w);
		return NULL;
	}
	w->next = r->watches;
	r->watches = w;
	return w;
}

/* A socket that cannot be watched makes its questions time out. */
static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct ctl_dns_ares *r = data;
	struct watch *w;

	if (!readable && !writable) {
		let_go(r, fd);
		return;
	}
	w = watch_of(r, fd);
	if (!w) {
		ctl_log(LOG_ERR, "out of memory: a socket to a DNS server is not watched");
		return;
	}
	if (readable)
		event_add(w->read, NULL);
	else
		event_del(w->read);
	if (writable)
		event_add(w->write, NULL);
	else
		event_del(w->write);
}

/* ---- Questions */

static const char *error_of(int status)
{
	switch (status) {
	case ARES_EFORMERR: return "FORMERR: the server does not understand the question";
	case ARES_ETIMEOUT: return "timeout";
	/* Also after SERVFAIL, REFUSED and NOTIMP from all of them. */
	case ARES_ECONNREFUSED: return "every DNS server failed, refused or cannot be reached";
	case ARES_EBADRESP: return "malformed answer";
	case ARES_ENOMEM: return "out of memory";
	default: return ares_strerror(status);
	}
}

static bool is_answer(int status)
{
	return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *msg, int len)
{
	struct call *c = arg;
	struct ctl_dns_reply r = { 0 };

	(void)timeouts;
	if (is_answer(status) && msg && len > 0)
		r = (struct ctl_dns_reply){ .msg = msg, .len = (size_t)len };
	else
		r.error = error_of(status);
	if (c->at) {
		*c->at = c->next;
		if (c->next)
			c->next->at = c->at;
	}
	if (c->cb)
		c->cb(c->cb_arg, &r);
	/* From within ask(), which has still to look at it. */
	if (c->at)
		free(c);
	else
		c->r = NULL;
}

static void *ask(void *arg, const char *name, uint16_t type, ctl_dns_reply_cb cb, void *cb_arg)
{
	struct ctl_dns_ares *r = arg;
	struct call *c = calloc(1, sizeof(*c));

	if (!c) {
		cb(cb_arg, &(struct ctl_dns_reply){ .error = "out of memory" });
		return NULL;
	}
	*c = (struct call){ .r = r, .cb = cb, .cb_arg = cb_arg };
	ares_query(r->channel, name, 1, type, on_reply, c);
	if (!c->r) {
		free(c);
		return NULL;
	}
	c->next = r->calls;
	c->at = &r->calls;
	if (c->next)
		c->next->at = &c->next;
	r->calls = c;
	plan(r);
	return c;
}

static void forget(void *arg, void *question)
{
	(void)arg;
	((struct call *)question)->cb = NULL;
}

/* ---- The channel */

static int use_servers(struct ctl_dns_ares *r, const struct ctl_dns_settings *set)
{
	struct ares_addr_port_node *nodes;
	int status;

	if (!set->n_servers)
		return ARES_SUCCESS;
	nodes = calloc(set->n_servers, sizeof(*nodes));
	if (!nodes)
		return ARES_ENOMEM;
	for (size_t i = 0; i < set->n_servers; i++) {
		const struct ctl_resolver *s = &set->servers[i];

		nodes[i].next = i + 1 < set->n_servers ? &nodes[i + 1] : NULL;
		nodes[i].udp_port = nodes[i].tcp_port = s->port;
		nodes[i].family = dp_ip_is_v4(&s->ip) ? AF_INET : AF_INET6;
		if (dp_ip_is_v4(&s->ip))
			memcpy(&nodes[i].addr.addr4, s->ip.b + 12, 4);
		else
			memcpy(&nodes[i].addr.addr6, s->ip.b, 16);
	}
	status = ares_set_servers_ports(r->channel, nodes);
	free(nodes);
	return status;
}

static int open_channel(struct ctl_dns_ares *r, const struct ctl_dns_settings *set)
{
	struct ares_options o = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)set->timeout_ms,
		.tries = (int)set->attempts,
		.ednspsz = EDNS_SIZE,
		.sock_state_cb = on_state,
		.sock_state_cb_data = r,
		.resolvconf_path = set->resolv_conf,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ
		   | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF | ARES_OPT_NOROTATE;
	int status = ares_init_options(&r->channel, &o, mask);

	if (status != ARES_SUCCESS) {
		r->channel = NULL;
		return status;
	}
	return use_servers(r, set);
}

struct ctl_dns_ares *ctl_dns_ares_new(struct event_base *base, const struct ctl_dns_settings *set,
				      char *why)
{
	struct ctl_dns_ares *r = calloc(1, sizeof(*r));
	int status = ARES_ENOMEM;

	if (r && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS) {
		r->base = base;
		r->io = (struct ctl_dns_io){ .ask = ask, .forget = forget, .arg = r };
		r->timer = evtimer_new(base, on_timer, r);
		if (r->timer)
			status = open_channel(r, set);
		if (status == ARES_SUCCESS)
			return r;
		if (r->channel)
			ares_destroy(r->channel);
		if (r->timer)
			event_free(r->timer);
		ares_library_cleanup();
	}
	snprintf(why, 128, "%s", ares_strerror(status));
	free(r);
	return NULL;
}

void ctl_dns_ares_free(struct ctl_dns_ares *r)
{
	if (!r)
		return;
	for (struct call *c = r->calls; c; c = c->next)
		c->cb = NULL;
	ares_destroy(r->channel);
	while (r->watches)
		let_go(r, r->watches->fd);
	event_free(r->timer);
	ares_library_cleanup();
	free(r);
}

const struct ctl_dns_io *ctl_dns_ares_io(struct ctl_dns_ares *r)
{
	return &r->io;
}

void ctl_dns_ares_servers(const struct ctl_dns_ares *r, char *text, size_t size)
{
	struct ares_addr_port_node *nodes = NULL;
	size_t n = 0;

	text[0] = '\0';
	if (ares_get_servers_ports(r->channel, &nodes) != ARES_SUCCESS)
		return;
	for (struct ares_addr_port_node *s = nodes; s && n < size; s = s->next) {
		char ip[46] = "";
		bool v6 = s->family == AF_INET6;

		ares_inet_ntop(s->family, &s->addr, ip, sizeof(ip));
		n += (size_t)snprintf(text + n, size - n, "%s%s%s%s", n ? ", " : "",
				      v6 && s->udp_port ? "[" : "", ip,
				      v6 && s->udp_port ? "]" : "");
		if (s->udp_port && n < size)
			n += (size_t)snprintf(text + n, size - n, ":%d", s->udp_port);
	}
	ares_free_data(nodes);
}
