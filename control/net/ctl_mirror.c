/*
 * The mirror: two sockets, one for notifications and one for dumps, and a view that is handed on
 * when it has changed.
 *
 * A table that is being read is built aside and replaces the old one when it is complete.
 * Notifications are subscribed to before anything is read, so that nothing falls between.
 *
 * Timers: `quiet`, 5 ms after a publication, until which changes gather; `pause`, until a dump may
 * begin; `grace`, 200 ms from the first sign that a netdev is gone, and again for 10 s while it is.
 */
#include "control/net/ctl_mirror.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/base/ctl_log.h"
#include "control/net/ctl_mirror_tables.h"
#include "control/net/ctl_netdev.h"

enum {
	QUIET_MS = 5,
	GRACE_MS = 200,
	GRACES_GONE = 50, /* for a netdev that is gone and not only down */
	RETRY_MS = 100,
	TORN_MS = 10,
	ROUTE_SHARE = 10,      /* reading routes takes at most one part in this of the time */
	ROUTE_PAUSE_MS = 5000, /* and is never put off longer */
	RX_SIZE = 65536,
	RX_BURST = 64, /* datagrams taken in one go, so that the loop stays fair */
	SOCKET_BUFFER = 8 << 20,
};

struct ctl_mirror {
	struct ctl_mirror_params p;
	struct mnl_socket *notices, *dumps;
	struct event *on_notice, *on_dump, *on_quiet, *on_pause, *on_grace;
	struct ctl_netdev_map map;
	struct ctl_tables tables;
	struct ctl_neighs *neighs;
	struct dp_net_neigh *kept; /* valid neighbours when the netdevs went */
	size_t n_kept;
	unsigned int wanted; /* set of tables to read */
	int reading;         /* enum ctl_table, -1: none */
	bool torn;           /* the dump being read is to be read again */
	uint32_t seq;
	uint64_t began_us, routes_not_before_us;
	bool suspended, losing, dirty, away;
	bool in_step;
	unsigned int graces;
	uint64_t overflows;
	_Alignas(struct nlmsghdr) char rx[RX_SIZE];
};

static void start_dump(struct ctl_mirror *m);

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void arm(struct event *ev, uint64_t us)
{
	const struct timeval tv = { .tv_sec = (time_t)(us / 1000000),
				    .tv_usec = (suseconds_t)(us % 1000000) };

	evtimer_add(ev, &tv);
}

static void set_away(struct ctl_mirror *m, bool away)
{
	if (m->away == away)
		return;
	m->away = away;
	if (m->p.away)
		m->p.away(m->p.arg, away);
}

/* ---- Handing on */

static void hand_on(struct ctl_mirror *m)
{
	struct ctl_net_view v = { .n_ports = m->map.n, .ports = m->tables.now.port };
	struct dp_net_route *routes;
	struct dp_net_neigh *neighs;

	if (m->suspended || m->losing || (!m->in_step && (m->wanted || m->reading >= 0)))
		return;
	routes = ctl_tables_routes(&m->tables, &v.n_routes);
	neighs = calloc(ctl_neighs_count(m->neighs) + 1, sizeof(*neighs));
	if (routes && neighs) {
		v.n_addrs = m->tables.now.addrs.n;
		v.addrs = m->tables.now.addrs.at;
		v.routes = routes;
		v.n_neighs = ctl_neighs_list(m->neighs, neighs);
		v.neighs = neighs;
		if (m->p.publish(m->p.arg, &v)) {
			m->dirty = false;
			m->in_step = true;
			set_away(m, false);
		}
	}
	free(routes);
	free(neighs);
	arm(m->on_quiet, QUIET_MS * 1000);
}

static void touch(struct ctl_mirror *m)
{
	m->dirty = true;
	if (!evtimer_pending(m->on_quiet, NULL))
		hand_on(m);
}

static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_mirror *m = arg;

	(void)fd;
	(void)what;
	if (m->dirty)
		hand_on(m);
}

/* ---- Losing a netdev */

/* What is known of neighbours now, before the kernel tells that it has forgotten them. */
static void keep_neighs(struct ctl_mirror *m)
{
	struct dp_net_neigh *kept = calloc(ctl_neighs_count(m->neighs) + 1, sizeof(*kept));

	if (!kept)
		return;
	free(m->kept);
	m->kept = kept;
	m->n_kept = ctl_neighs_list(m->neighs, kept);
}

static void lose(struct ctl_mirror *m)
{
	if (m->losing || m->suspended)
		return;
	m->losing = true;
	m->graces = 0;
	set_away(m, true);
	keep_neighs(m);
	arm(m->on_grace, GRACE_MS * 1000);
}

/* Whether a port's netdev is no longer there at all, as far as has been read. */
static bool is_gone(const struct ctl_mirror *m)
{
	for (unsigned int i = 0; i < m->map.n; i++) {
		if (m->map.ifindex[i] && m->tables.now.port[i].mtu == 0)
			return true;
	}
	return m->reading == CTL_TABLE_LINKS || (m->wanted & 1u << CTL_TABLE_LINKS);
}

/* Only down: somebody has set it so, and the data plane lives. Gone: that it died is to be heard
 * yet; the kernel takes its time to end a process. */
static void on_grace(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_mirror *m = arg;

	(void)fd;
	(void)what;
	if (is_gone(m) && m->graces++ < GRACES_GONE) {
		arm(m->on_grace, GRACE_MS * 1000);
		return;
	}
	m->losing = false;
	touch(m);
}

/* ---- Reading */

static void want(struct ctl_mirror *m, unsigned int set)
{
	m->wanted |= set;
	if (!m->suspended && m->reading < 0)
		start_dump(m);
}

static void take_neigh(struct ctl_mirror *m, const struct nlmsghdr *nlh, bool from_dump)
{
	struct ctl_neigh n;
	int ret;

	if (!ctl_parse_neigh(nlh, &m->map, &n))
		return;
	ret = ctl_neighs_put(m->neighs, &n, nlh->nlmsg_type == RTM_DELNEIGH, from_dump);
	if (ret < 0)
		want(m, 1u << CTL_TABLE_NEIGHS);
	else if (ret)
		m->dirty = true;
}

/* ---- Dumps */

static void begin_table(struct ctl_mirror *m)
{
	if (m->reading == CTL_TABLE_NEIGHS)
		ctl_neighs_dump_begin(m->neighs);
	else
		ctl_tables_begin(&m->tables, (enum ctl_table)m->reading);
	m->torn = false;
	m->began_us = now_us();
}

/* Reading routes is paid for by a pause, so that a large table that never rests leaves time for
 * everything else. @return whether the view has changed. */
static bool end_table(struct ctl_mirror *m)
{
	uint64_t now = now_us(), pause = (now - m->began_us) * ROUTE_SHARE;

	if (m->reading == CTL_TABLE_NEIGHS)
		return ctl_neighs_dump_end(m->neighs);
	if (1u << m->reading & CTL_TABLES_ROUTES)
		m->routes_not_before_us =
			now + (pause < ROUTE_PAUSE_MS * 1000 ? pause : ROUTE_PAUSE_MS * 1000);
	return ctl_tables_end(&m->tables, (enum ctl_table)m->reading);
}

static int next_table(const struct ctl_mirror *m, bool routes_too)
{
	unsigned int set = routes_too ? m->wanted : m->wanted & ~CTL_TABLES_ROUTES;

	return set ? __builtin_ctz(set) : -1;
}

/* The dump broke off, or the table changed under it: once more, a little later. */
static void redo_dump(struct ctl_mirror *m, uint64_t after_ms)
{
	m->wanted |= 1u << m->reading;
	m->reading = -1;
	arm(m->on_pause, after_ms * 1000);
}

static void start_dump(struct ctl_mirror *m)
{
	_Alignas(struct nlmsghdr) char room[128];
	struct nlmsghdr *nlh;
	uint64_t now = now_us();

	m->reading = next_table(m, !m->in_step || now >= m->routes_not_before_us);
	if (m->reading < 0) {
		if (m->wanted)
			arm(m->on_pause, m->routes_not_before_us - now);
		return;
	}
	m->wanted &= ~(1u << m->reading);
	begin_table(m);
	nlh = ctl_table_request((enum ctl_table)m->reading, room);
	nlh->nlmsg_seq = ++m->seq;
	if (mnl_socket_sendto(m->dumps, nlh, nlh->nlmsg_len) < 0)
		redo_dump(m, RETRY_MS);
}

static void end_dump(struct ctl_mirror *m)
{
	if (m->torn) {
		redo_dump(m, TORN_MS);
		return;
	}
	m->dirty |= end_table(m);
	m->reading = -1;
	if (m->wanted && !m->suspended)
		start_dump(m);
	if (m->dirty || !m->in_step)
		touch(m);
}

static void take_dump(struct ctl_mirror *m, const struct nlmsghdr *nlh)
{
	if (m->reading < 0 || nlh->nlmsg_seq != m->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		m->torn = true;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		m->torn = true;
	if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
		end_dump(m);
	else if (m->reading == CTL_TABLE_NEIGHS)
		take_neigh(m, nlh, true);
	else if (ctl_tables_take(&m->tables, nlh, &m->map) < 0)
		m->torn = true;
}

static void on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_mirror *m = arg;

	(void)fd;
	(void)what;
	if (!m->suspended && m->reading < 0)
		start_dump(m);
}

/* ---- Notifications */

/* An own netdev that is down or gone: its data plane may have died. */
static void notice_link(struct ctl_mirror *m, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*i)
	    || ctl_netdev_port(&m->map, (unsigned int)i->ifi_index) == CTL_NO_PORT)
		return;
	if (nlh->nlmsg_type == RTM_DELLINK || !(i->ifi_flags & IFF_UP))
		lose(m);
	/* The routes that go with a link that goes down go without a word. */
	want(m, 1u << CTL_TABLE_LINKS | CTL_TABLES_ROUTES);
}

static void notice_address(struct ctl_mirror *m, const struct nlmsghdr *nlh)
{
	struct dp_net_addr addr[2];

	if (ctl_parse_address(nlh, &m->map, addr) == 0)
		return;
	want(m,
	     1u << CTL_TABLE_ADDRESSES | (nlh->nlmsg_type == RTM_DELADDR ? CTL_TABLES_ROUTES : 0));
}

static void notice_route(struct ctl_mirror *m, const struct nlmsghdr *nlh)
{
	const struct rtmsg *r = mnl_nlmsg_get_payload(nlh);
	struct dp_net_route route;

	if (ctl_parse_route(nlh, &m->map, &route))
		want(m, 1u << (r->rtm_family == AF_INET6 ? CTL_TABLE_ROUTES6 : CTL_TABLE_ROUTES4));
}

static void take_notice(struct ctl_mirror *m, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: notice_link(m, nlh); break;
	case RTM_NEWADDR:
	case RTM_DELADDR: notice_address(m, nlh); break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE: notice_route(m, nlh); break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH: take_neigh(m, nlh, false); break;
	default: break;
	}
}

/* ---- Sockets */

typedef void (*take_fn)(struct ctl_mirror *m, const struct nlmsghdr *nlh);

/* @return 0, or the errno that ended the reading. */
static int drain(struct ctl_mirror *m, struct mnl_socket *sock, take_fn fn)
{
	for (int i = 0; i < RX_BURST; i++) {
		ssize_t n = mnl_socket_recvfrom(sock, m->rx, sizeof(m->rx));
		const struct nlmsghdr *nlh = (const void *)m->rx;
		int left = (int)n;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			fn(m, nlh);
	}
	return 0;
}

/* After a loss, what is still queued is older than what was lost: it must not be taken for news.
 * The kernel queues nothing more until all of it has been fetched. */
static void discard_notices(struct ctl_mirror *m)
{
	while (mnl_socket_recvfrom(m->notices, m->rx, sizeof(m->rx)) >= 0 || errno == ENOBUFS
	       || errno == EINTR)
		;
	m->overflows++;
	m->torn = true; /* whatever is being read */
	want(m, CTL_TABLES_ALL);
}

static void on_notice(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_mirror *m = arg;
	int ret = drain(m, m->notices, take_notice);

	(void)fd;
	(void)what;
	if (ret) {
		ctl_log(LOG_NOTICE, "netlink notifications were lost (%s): reading all anew",
			strerror(ret));
		discard_notices(m);
	}
	if (m->dirty)
		touch(m);
}

static void on_dump(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_mirror *m = arg;
	int ret = drain(m, m->dumps, take_dump);

	(void)fd;
	(void)what;
	if (ret && m->reading >= 0)
		redo_dump(m, RETRY_MS);
}

static struct mnl_socket *open_socket(unsigned int groups)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = SOCKET_BUFFER;

	if (!s)
		return NULL;
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

static bool open_sockets(struct ctl_mirror *m)
{
	struct event_base *b = m->p.base;

	m->notices = open_socket(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR
				 | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
	m->dumps = open_socket(0);
	if (!m->notices || !m->dumps)
		return false;
	m->on_notice =
		event_new(b, mnl_socket_get_fd(m->notices), EV_READ | EV_PERSIST, on_notice, m);
	m->on_dump = event_new(b, mnl_socket_get_fd(m->dumps), EV_READ | EV_PERSIST, on_dump, m);
	m->on_quiet = evtimer_new(b, on_quiet, m);
	m->on_pause = evtimer_new(b, on_pause, m);
	m->on_grace = evtimer_new(b, on_grace, m);
	return m->on_notice && m->on_dump && m->on_quiet && m->on_pause && m->on_grace
	       && event_add(m->on_notice, NULL) == 0 && event_add(m->on_dump, NULL) == 0;
}

/* ---- The interface */

struct ctl_mirror *ctl_mirror_new(const struct ctl_mirror_params *p)
{
	struct ctl_mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->p = *p;
	m->reading = -1;
	m->suspended = true;
	ctl_tables_init(&m->tables);
	m->neighs = ctl_neighs_new();
	if (!m->neighs || !open_sockets(m)) {
		ctl_mirror_free(m);
		return NULL;
	}
	return m;
}

static void free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

void ctl_mirror_free(struct ctl_mirror *m)
{
	if (!m)
		return;
	free_event(m->on_notice);
	free_event(m->on_dump);
	free_event(m->on_quiet);
	free_event(m->on_pause);
	free_event(m->on_grace);
	if (m->notices)
		mnl_socket_close(m->notices);
	if (m->dumps)
		mnl_socket_close(m->dumps);
	ctl_neighs_free(m->neighs);
	ctl_tables_fini(&m->tables);
	free(m->kept);
	free(m);
}

void ctl_mirror_suspend(struct ctl_mirror *m)
{
	if (m->suspended)
		return;
	if (!m->losing)
		keep_neighs(m);
	evtimer_del(m->on_grace);
	evtimer_del(m->on_quiet);
	m->losing = false;
	m->suspended = true;
	set_away(m, true);
}

void ctl_mirror_resume(struct ctl_mirror *m, unsigned int n_ports, const unsigned int *ifindex)
{
	m->map.n = n_ports;
	memcpy(m->map.ifindex, ifindex, n_ports * sizeof(*ifindex));
	for (size_t i = 0; i < m->n_kept; i++) {
		const struct dp_net_neigh *n = &m->kept[i];

		if (n->port < n_ports && ifindex[n->port])
			ctl_netdev_teach(m->p.netlink, ifindex[n->port], &n->ip, n->mac);
	}
	free(m->kept);
	m->kept = NULL;
	m->n_kept = 0;
	ctl_neighs_clear(m->neighs);
	m->suspended = false;
	m->in_step = false;
	m->dirty = true;
	want(m, CTL_TABLES_ALL);
}

bool ctl_mirror_in_step(const struct ctl_mirror *m)
{
	return m->in_step && !m->dirty && !m->wanted && m->reading < 0;
}

static unsigned int netdev_of(const struct ctl_mirror *m, unsigned int port)
{
	return port < m->map.n && !m->suspended ? m->map.ifindex[port] : 0;
}

uint64_t ctl_mirror_overflows(const struct ctl_mirror *m)
{
	return m->overflows;
}

void ctl_mirror_miss(struct ctl_mirror *m, unsigned int port, const struct sip_ip *ip)
{
	const struct ctl_neigh *n = ctl_neighs_find(m->neighs, port, ip);
	unsigned int ifindex = netdev_of(m, port);

	/* Known means that the worker's snapshot is older than this one. */
	if (ifindex && !(n && (n->at.valid || (n->state & NUD_INCOMPLETE))))
		ctl_netdev_use(m->p.netlink, ifindex, ip);
}

void ctl_mirror_used(struct ctl_mirror *m, unsigned int port, const struct sip_ip *ip)
{
	const struct ctl_neigh *n = ctl_neighs_find(m->neighs, port, ip);
	unsigned int ifindex = netdev_of(m, port);

	if (ifindex && (!n || n->state == NUD_STALE || !n->at.valid))
		ctl_netdev_use(m->p.netlink, ifindex, ip);
}
