#include "control/daemon/ctl_self.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "control/daemon/ctl_self_frame.h"

#define PERIOD_S   1
#define FAIL_AFTER 2 /* probes in a row without an answer */
#define PORT_FIRST                                                              \
	61000 /* that probes come from: another one each time, so that all of a \
		 device's queues have their turn */
#define PORTS 4000

enum state { UNKNOWN, OK, FAILING };

struct self_port {
	struct ctl_self *owner;
	unsigned int number;
	int fd; /* packet socket on the exception netdev, -1: none */
	unsigned int ifindex;
	uint16_t ether_type;
	struct event *readable;
	enum state state;
	unsigned int missed; /* in a row */
	bool waiting;
	uint64_t sent_us, rtt_us, serial;
	char token[64];
};

struct ctl_self {
	struct ctl_self_params p;
	struct event *timer;
	uint64_t nonce; /* so that nobody else knows a token */
	struct self_port port[DP_MAX_PORTS];
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void say(const struct self_port *p, enum state to)
{
	const char *name = p->owner->p.region->boot.ports[p->number].name;
	char evidence[128];
	struct ctl_event e = { .from = to == FAILING ? "running" : "failing",
			       .to = to == FAILING ? "failing" : "running",
			       .cause = "self-probe",
			       .evidence = evidence };

	if (to == FAILING)
		snprintf(evidence, sizeof(evidence),
			 "port %s: %u probes through the fast path are unanswered", name,
			 p->missed);
	else
		snprintf(evidence, sizeof(evidence),
			 "port %s: the fast path answers again, round trip %.3f ms", name,
			 (double)p->rtt_us / 1000);
	ctl_history_add(p->owner->p.history, &e);
}

static void enter(struct self_port *p, enum state to)
{
	enum state from = p->state;

	p->state = to;
	if (from != to && (from == FAILING || to == FAILING))
		say(p, to);
}

static void close_port(struct self_port *p)
{
	if (p->readable)
		event_free(p->readable);
	if (p->fd >= 0)
		close(p->fd);
	p->readable = NULL;
	p->fd = -1;
	p->ifindex = 0;
}

static void on_frame(evutil_socket_t fd, short what, void *arg)
{
	struct self_port *p = arg;
	char frame[2048];
	ssize_t n;

	(void)what;
	while ((n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
		if (!p->waiting || !memmem(frame, (size_t)n, p->token, strlen(p->token)))
			continue;
		p->waiting = false;
		p->missed = 0;
		p->rtt_us = now_us() - p->sent_us;
		enter(p, OK);
	}
}

/* Only frames that the port sends to itself wake us, not what else is for the kernel. */
static int filter(int fd, const uint8_t *mac)
{
	uint32_t high =
		(uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(mac[4] << 8 | mac[5]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* On the netdev that the data plane has now. Returns whether there is a socket. */
static bool open_port(struct self_port *p, uint16_t ether_type)
{
	const struct dp_region *r = p->owner->p.region;
	unsigned int ifindex = r->port[p->number].exception_ifindex;
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ether_type),
				  .sll_ifindex = (int)ifindex };

	if (p->fd >= 0 && p->ifindex == ifindex && p->ether_type == ether_type)
		return true;
	close_port(p);
	/* No protocol until it is filtered and bound: nothing comes before. */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || filter(p->fd, r->port[p->number].mac) < 0
	    || bind(p->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		goto failed;
	p->readable = event_new(p->owner->p.base, p->fd, EV_READ | EV_PERSIST, on_frame, p);
	if (!p->readable || event_add(p->readable, NULL) < 0)
		goto failed;
	p->ifindex = ifindex;
	p->ether_type = ether_type;
	return true;
failed:
	ctl_log(LOG_DEBUG, "port %s: no self-probe: %s", r->boot.ports[p->number].name,
		strerror(errno));
	close_port(p);
	return false;
}

/* A listener of clients', the port's own one where it has one. */
static const struct dp_listener *listener_for(const struct ctl_self *s, unsigned int port)
{
	const struct dp_cfg *cfg = ctl_publisher_cfg(s->p.publisher);
	const struct dp_listener *any = NULL;

	for (unsigned int i = 0; cfg && i < cfg->n_listeners; i++) {
		const struct dp_listener *l = dp_cfg_listener(cfg, i);

		if (!(l->flags & DP_LISTENER_CLIENT))
			continue;
		if (l->dpdk_port == port)
			return l;
		any = any ? any : l;
	}
	return any;
}

static void send_probe(struct self_port *p, const struct dp_listener *l)
{
	uint8_t frame[CTL_SELF_FRAME_SIZE];
	uint16_t from = (uint16_t)(PORT_FIRST + p->serial++ % PORTS);
	size_t len;

	snprintf(p->token, sizeof(p->token), "self-%u-%llu-%llx", p->number,
		 (unsigned long long)p->serial,
		 (unsigned long long)(p->owner->nonce ^ p->serial * 0x9e3779b97f4a7c15ull));
	len = ctl_self_frame(frame, p->owner->p.region->port[p->number].mac, &l->at, from,
			     p->token);
	p->sent_us = now_us();
	/* What cannot be sent is not answered either. */
	if (send(p->fd, frame, len, 0) < 0)
		ctl_log(LOG_DEBUG, "self-probe: %s", strerror(errno));
}

static void probe_port(struct self_port *p)
{
	const struct dp_listener *l = listener_for(p->owner, p->number);

	if (p->waiting && ++p->missed >= FAIL_AFTER)
		enter(p, FAILING);
	p->waiting = l != NULL;
	if (l && open_port(p, dp_ip_is_v4(&l->at.ip) ? ETH_P_IP : ETH_P_IPV6))
		send_probe(p, l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_self *s = arg;
	const struct dp_region *r = s->p.region;
	bool running = atomic_load(&r->state) == DP_STATE_RUNNING;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; i < r->boot.n_ports; i++) {
		struct self_port *p = &s->port[i];

		if (running && r->port[i].exception_ifindex) {
			probe_port(p);
			continue;
		}
		/* The data plane is away: that is an event of its own. */
		close_port(p);
		p->waiting = false;
		p->missed = 0;
		p->state = UNKNOWN;
	}
}

struct ctl_self *ctl_self_new(const struct ctl_self_params *p)
{
	const struct timeval period = { .tv_sec = PERIOD_S };
	struct ctl_self *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->p = *p;
	for (unsigned int i = 0; i < DP_MAX_PORTS; i++)
		s->port[i] = (struct self_port){ .owner = s, .number = i, .fd = -1 };
	s->timer = event_new(p->base, -1, EV_PERSIST, on_timer, s);
	if (!s->timer || getrandom(&s->nonce, sizeof(s->nonce), 0) != sizeof(s->nonce)) {
		ctl_self_free(s);
		return NULL;
	}
	event_add(s->timer, &period);
	return s;
}

void ctl_self_free(struct ctl_self *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < DP_MAX_PORTS; i++)
		close_port(&s->port[i]);
	if (s->timer)
		event_free(s->timer);
	free(s);
}

const char *ctl_self_state(const struct ctl_self *s, unsigned int port)
{
	static const char *const names[] = {
		[UNKNOWN] = "unknown", [OK] = "ok", [FAILING] = "failing"
	};

	return names[s->port[port].state];
}

uint64_t ctl_self_rtt_us(const struct ctl_self *s, unsigned int port)
{
	return s->port[port].rtt_us;
}
