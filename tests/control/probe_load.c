/*
 * What it costs control to watch many members: `probe_load [MEMBERS [PERIOD_MS [SECONDS [tcp]]]]`
 * runs the real runtime and prober against a responder in another process, which answers for
 * members at 127.0.0.0/8, and prints the CPU share of this process, and whether all of them were
 * seen up. Over TCP each member has a connection, and it is kept.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/pair/ctl_pairs.h"
#include "control/probe/ctl_clock.h"

#define BATCH 32

/* ---- The responder */

struct slot {
	char buf[2048], out[2048], control[64];
	struct sockaddr_in from;
	struct iovec iov;
};

static struct slot slots[BATCH];

static int open_responder(uint16_t *port, int type)
{
	int fd = socket(AF_INET, type, 0), on = 1, size = 64 << 20;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_IP, IP_PKTINFO, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) != 0
	    || getsockname(fd, (struct sockaddr *)&in, &len) != 0
	    || (type == SOCK_STREAM && listen(fd, 4096) != 0))
		return -1;
	*port = ntohs(in.sin_port);
	return fd;
}

/* The request's headers up to CSeq stand in the order in which the prober writes them. */
static size_t make_answer(const char *req, size_t len, char *out)
{
	const char *via = memmem(req, len, "\r\n", 2), *end = memmem(req, len, "CSeq:", 5);
	size_t n;

	if (via == NULL || end == NULL || end <= via)
		return 0;
	end = memchr(end, '\r', len - (size_t)(end - req));
	n = (size_t)(end - via);
	memcpy(out, "SIP/2.0 200 OK", 14);
	memcpy(out + 14, via, n);
	memcpy(out + 14 + n, "\r\nContent-Length: 0\r\n\r\n", 23);
	return 14 + n + 23;
}

static void respond(int fd)
{
	struct mmsghdr in[BATCH], out[BATCH];

	for (;;) {
		unsigned int n_out = 0;
		int n;

		memset(in, 0, sizeof(in));
		for (unsigned int i = 0; i < BATCH; i++) {
			struct slot *s = &slots[i];

			s->iov = (struct iovec){ .iov_base = s->buf, .iov_len = sizeof(s->buf) };
			in[i].msg_hdr = (struct msghdr){ .msg_name = &s->from,
							 .msg_namelen = sizeof(s->from),
							 .msg_iov = &s->iov,
							 .msg_iovlen = 1,
							 .msg_control = s->control,
							 .msg_controllen = sizeof(s->control) };
		}
		n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			struct slot *s = &slots[i];
			struct in_pktinfo pi;
			struct cmsghdr *cm = CMSG_FIRSTHDR(&in[i].msg_hdr);

			memcpy(&pi, CMSG_DATA(cm), sizeof(pi));
			pi.ipi_spec_dst = pi.ipi_addr;
			pi.ipi_ifindex = 0;
			memcpy(CMSG_DATA(cm), &pi, sizeof(pi));
			s->iov = (struct iovec){ .iov_base = s->out,
						 .iov_len = make_answer(s->buf, in[i].msg_len,
									s->out) };
			out[n_out++] = in[i];
		}
		sendmmsg(fd, out, n_out, 0);
	}
}

/* A request comes whole: it is one segment on loopback. */
static void respond_stream(int fd)
{
	static char buf[2048], out[2048];
	int ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd }, got[64];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			ssize_t len;

			if (got[i].data.fd == fd) {
				while ((ev.data.fd = accept(fd, NULL, NULL)) >= 0)
					epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
				continue;
			}
			len = recv(got[i].data.fd, buf, sizeof(buf), 0);
			if (len <= 0)
				close(got[i].data.fd);
			else
				send(got[i].data.fd, out, make_answer(buf, (size_t)len, out),
				     MSG_NOSIGNAL);
		}
	}
}

/* ---- The runtime */

static void set_word(void *arg, unsigned int pair, uint64_t word)
{
	((uint64_t *)arg)[pair] = word;
}

static void fill_pair(struct ctl_pair *p, unsigned int i, const struct dp_endpoint *at,
		      uint32_t period_ms)
{
	char name[32];

	snprintf(name, sizeof(name), "p%05u", i);
	p->name = strdup(name);
	p->weight = 1;
	p->n_members = 2;
	p->members = calloc(2, sizeof(*p->members));
	p->set = (struct ctl_pair_settings){ .oos_check_ms = period_ms,
					     .oos_force_ms = period_ms,
					     .fall = 1,
					     .rise = 1,
					     .probe_all = true,
					     .unavailable_codes = { 408, 503 },
					     .n_unavailable_codes = 2,
					     .probe_max_forwards = 70 };
	for (unsigned int m = 0; m < 2; m++) {
		unsigned int n = 2 * i + m + 256;
		char host[32];

		snprintf(host, sizeof(host), "127.%u.%u.%u", 1 + (n >> 16), n >> 8 & 255, n & 255);
		p->members[m].name = strdup(m == 0 ? "a" : "b");
		p->members[m].host = strdup(host);
		p->members[m].role = (enum dp_role)m;
		dp_ip_parse(host, &p->members[m].at.ip);
		p->members[m].at.port = at->port;
		p->members[m].at.transport = at->transport;
	}
}

static struct ctl_model *make_model(unsigned int n_pairs, const struct dp_endpoint *at,
				    uint32_t period_ms)
{
	struct ctl_model *m = calloc(1, sizeof(*m));

	m->pairs = calloc(n_pairs, sizeof(*m->pairs));
	m->pairs_by_name = calloc(n_pairs, sizeof(*m->pairs_by_name));
	m->n_pairs = n_pairs;
	for (unsigned int i = 0; i < n_pairs; i++) {
		fill_pair(&m->pairs[i], i, at, period_ms);
		m->pairs_by_name[i] = i;
	}
	return m;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec)
	       + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void spin(struct event_base *base, unsigned int seconds)
{
	const struct timeval tv = { .tv_sec = seconds };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static unsigned int count_known(const uint64_t *words, unsigned int n)
{
	unsigned int known = 0;

	for (unsigned int i = 0; i < n; i++)
		known += (words[i] & ~15ull) == DP_WORD_VALID;
	return known;
}

static int run(unsigned int n_members, uint32_t period_ms, unsigned int seconds,
	       const struct dp_endpoint *at)
{
	unsigned int n_pairs = n_members / 2, known;
	struct event_base *base = event_base_new();
	struct ctl_model *model = make_model(n_pairs, at, period_ms);
	struct ctl_numbers *numbers = ctl_numbers_new();
	uint64_t *words = calloc(DP_MAX_PAIRS, sizeof(*words)), sent, start_us;
	const struct ctl_pairs_params params = { .base = base,
						 .history = ctl_history_new(10, 1000),
						 .set_word = set_word,
						 .arg = words };
	struct ctl_pairs *ps = ctl_pairs_new(&params);
	json_t *before, *after;
	double cpu, wall;

	if (ps == NULL || ctl_numbers_assign(numbers, model, 1) != 0
	    || ctl_pairs_apply(ps, model, numbers, NULL) != 0)
		return 1;
	spin(base, 2 + 2 * period_ms / 1000);
	before = ctl_pairs_probes_json(ps);
	cpu = cpu_seconds();
	start_us = ctl_now_us();
	spin(base, seconds);
	wall = (double)(ctl_now_us() - start_us) / 1e6;
	cpu = cpu_seconds() - cpu;
	after = ctl_pairs_probes_json(ps);
	known = count_known(words, n_pairs);
	sent = (uint64_t)(json_integer_value(json_object_get(after, "sent"))
			  - json_integer_value(json_object_get(before, "sent")));
	printf("%u members every %u ms: %.0f sends/s, CPU share %.1f %%, %.2f us a probe, "
	       "%u of %u pairs as they should be\n",
	       2 * n_pairs, period_ms, (double)sent / wall, 100 * cpu / wall,
	       1e6 * cpu / (double)sent, known, n_pairs);
	if (known < n_pairs)
		json_dumpf(after, stdout, JSON_INDENT(1));
	json_decref(before);
	json_decref(after);
	ctl_pairs_free(ps);
	return known == n_pairs ? 0 : 1;
}

int main(int argc, char **argv)
{
	unsigned int members = argc > 1 ? (unsigned int)atoi(argv[1]) : 20000;
	uint32_t period_ms = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000;
	unsigned int seconds = argc > 3 ? (unsigned int)atoi(argv[3]) : 10;
	struct dp_endpoint at = { .transport = argc > 4 && strcmp(argv[4], "tcp") == 0 ? DP_TCP
										       : DP_UDP };
	struct rlimit files = { 1 << 18, 1 << 18 };
	int fd = open_responder(&at.port, at.transport == DP_TCP ? SOCK_STREAM : SOCK_DGRAM),
	    failed;
	pid_t pid;

	setrlimit(RLIMIT_NOFILE, &files);

	if (fd < 0 || members < 2 || members / 2 > DP_MAX_PAIRS || period_ms == 0) {
		fprintf(stderr, "usage: probe_load [MEMBERS [PERIOD_MS [SECONDS [tcp]]]]\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (at.transport == DP_TCP)
			respond_stream(fd);
		respond(fd);
	}
	close(fd);
	failed = run(members, period_ms, seconds, &at);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return failed;
}
