#include "control/probe/ctl_probe_udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/probe/ctl_sockaddr.h"

#define BATCH         32
#define DATAGRAM_SIZE 8192
#define ROUNDS        8    /* batches per callback, so that a flood leaves time for timers */
#define DRAIN_ROUNDS  1024 /* more than a full receive buffer holds */
#define RCVBUF        (8 << 20)
#define SEND_TRIES    4

struct ctl_udp_sock {
	struct ctl_udp_sock *next;
	struct ctl_udp *u;
	struct sip_ip from;
	bool v4;
	int fd;
	uint16_t port;
	struct event *ev;
};

struct ctl_udp {
	struct event_base *base;
	struct ctl_udp_handler h;
	struct ctl_udp_sock *socks;
	char buf[BATCH][DATAGRAM_SIZE];
};

/* ---- Receiving */

/* RFC 792, RFC 4443 and what Linux makes of them: only errors that came over the wire count here;
 * local ones show up when sending. */
static void read_error(struct ctl_udp_sock *s, struct msghdr *msg, const char *buf, size_t len)
{
	const union ctl_sockaddr *to = msg->msg_name;
	struct cmsghdr *cm;
	struct dp_endpoint e;

	if (msg->msg_namelen == 0)
		return;
	for (cm = CMSG_FIRSTHDR(msg); cm != NULL; cm = CMSG_NXTHDR(msg, cm)) {
		struct sock_extended_err ee;

		if (!(cm->cmsg_level == SOL_IP && cm->cmsg_type == IP_RECVERR)
		    && !(cm->cmsg_level == SOL_IPV6 && cm->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&ee, CMSG_DATA(cm), sizeof(ee));
		if (ee.ee_origin != SO_EE_ORIGIN_ICMP && ee.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		ctl_sockaddr_from(&e, to);
		s->u->h.icmp(s->u->h.arg, (uint32_t)ee.ee_type << 8 | ee.ee_code, buf, len, &e);
	}
}

static void drain_errors(struct ctl_udp_sock *s)
{
	char control[512];

	for (unsigned int i = 0; i < BATCH * ROUNDS; i++) {
		union ctl_sockaddr to;
		struct iovec iov = { .iov_base = s->u->buf[0], .iov_len = DATAGRAM_SIZE };
		struct msghdr msg = { .msg_name = &to,
				      .msg_namelen = sizeof(to),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(s->fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (n < 0)
			return;
		read_error(s, &msg, s->u->buf[0], (size_t)n);
	}
}

static int receive_batch(struct ctl_udp_sock *s)
{
	union ctl_sockaddr from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH];
	int n;

	memset(msgs, 0, sizeof(msgs));
	for (unsigned int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = s->u->buf[i], .iov_len = DATAGRAM_SIZE };
		msgs[i].msg_hdr.msg_name = &from[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(from[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(s->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct dp_endpoint e;
		bool cut = (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;

		ctl_sockaddr_from(&e, &from[i]);
		s->u->h.datagram(s->u->h.arg, s->u->buf[i], cut ? 0 : msgs[i].msg_len, &e);
	}
	return n;
}

static void receive(struct ctl_udp_sock *s, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		int n = receive_batch(s);

		/* An error stands before all datagrams, is reported once, and is in the queue
		 * then; so is what is left of a queue when there is nothing else to read. */
		if (n < 0) {
			bool again = errno != EAGAIN;

			drain_errors(s);
			if (again)
				continue;
		}
		if (n < BATCH)
			break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	receive(arg, ROUNDS);
}

void ctl_udp_drain(struct ctl_udp *u)
{
	for (struct ctl_udp_sock *s = u->socks; s != NULL; s = s->next)
		receive(s, DRAIN_ROUNDS);
}

/* ---- Opening, sending */

static void sock_free(struct ctl_udp_sock *s)
{
	if (s->ev != NULL)
		event_free(s->ev);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

static int sock_open(struct ctl_udp_sock *s)
{
	const int on = 1, size = RCVBUF;
	union ctl_sockaddr a;
	socklen_t len = ctl_sockaddr_to(&a, &s->from, 0, s->v4);

	s->fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	if (!s->v4 && setsockopt(s->fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		return -errno;
	if (setsockopt(s->fd, s->v4 ? SOL_IP : SOL_IPV6, s->v4 ? IP_RECVERR : IPV6_RECVERR, &on,
		       sizeof(on))
	    != 0)
		return -errno;
	/* Answers of many members come in bursts; without privilege the system's limit will do. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(s->fd, &a.sa, len) != 0)
		return -errno;
	len = sizeof(a);
	if (getsockname(s->fd, &a.sa, &len) != 0)
		return -errno;
	s->port = ntohs(s->v4 ? a.in.sin_port : a.in6.sin6_port);
	s->ev = event_new(s->u->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	return s->ev != NULL && event_add(s->ev, NULL) == 0 ? 0 : -ENOMEM;
}

struct ctl_udp_sock *ctl_udp_socket(struct ctl_udp *u, const struct sip_ip *from, bool v4)
{
	struct ctl_udp_sock *s;
	int err;

	for (s = u->socks; s != NULL; s = s->next) {
		if (s->v4 == v4 && dp_ip_equal(&s->from, from))
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->u = u;
	s->from = *from;
	s->v4 = v4;
	s->fd = -1;
	err = sock_open(s);
	if (err != 0) {
		sock_free(s);
		errno = -err;
		return NULL;
	}
	s->next = u->socks;
	u->socks = s;
	return s;
}

uint16_t ctl_udp_port(const struct ctl_udp_sock *s)
{
	return s->port;
}

/* With IP_RECVERR a socket hands an earlier datagram's ICMP error to whoever sends next, whatever
 * the destination. So an error counts only when it stays, and "refused" never does. */
int ctl_udp_send(struct ctl_udp_sock *s, const struct dp_endpoint *to, const char *buf, size_t len)
{
	union ctl_sockaddr a;
	socklen_t alen = ctl_sockaddr_to(&a, &to->ip, to->port, s->v4);

	for (unsigned int i = 0; i < SEND_TRIES; i++) {
		if (sendto(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL, &a.sa, alen) >= 0)
			return 0;
		if (errno == EAGAIN || errno == ENOBUFS)
			return -EAGAIN;
	}
	return errno == ECONNREFUSED ? -EAGAIN : -errno;
}

int ctl_udp_source(const struct dp_endpoint *to, struct sip_ip *ip)
{
	bool v4 = dp_ip_is_v4(&to->ip);
	union ctl_sockaddr a;
	socklen_t len = ctl_sockaddr_to(&a, &to->ip, to->port, v4);
	struct dp_endpoint e;
	int fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, &a.sa, len) != 0)
		err = -errno;
	len = sizeof(a);
	if (err == 0 && getsockname(fd, &a.sa, &len) != 0)
		err = -errno;
	close(fd);
	if (err != 0)
		return err;
	ctl_sockaddr_from(&e, &a);
	*ip = e.ip;
	return 0;
}

struct ctl_udp *ctl_udp_new(struct event_base *base, const struct ctl_udp_handler *h)
{
	struct ctl_udp *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->base = base;
	u->h = *h;
	return u;
}

void ctl_udp_free(struct ctl_udp *u)
{
	if (u == NULL)
		return;
	while (u->socks != NULL) {
		struct ctl_udp_sock *s = u->socks;

		u->socks = s->next;
		sock_free(s);
	}
	free(u);
}
