/*
 * The link's one message: a hello, with the region's memfd attached or not. Owns nothing but, for
 * as long as a call lasts, the descriptors that arrived with a message.
 */
#include "dataplane/dp_link.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/dp_region.h"

/* Descriptors that are taken from one message, to be closed when they are not the one expected; the
 * kernel drops any more. */
#define LINK_MAX_FDS 16

_Static_assert(sizeof(struct dp_link_hello) == 48, "no padding: sent as it lies");
_Static_assert(sizeof(SIPSTEER_VERSION) <= sizeof(((struct dp_link_hello *)0)->version),
	       "the version fits with its NUL");

int dp_link_send(int sock, int memfd)
{
	struct dp_link_hello hello = {
		.magic = DP_LINK_MAGIC,
		.layout_version = DP_LAYOUT_VERSION,
		.has_region = memfd >= 0,
		.pid = (uint32_t)getpid(),
		.version = SIPSTEER_VERSION,
	};
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &hello, sizeof(hello) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (memfd >= 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.b;
		msg.msg_controllen = sizeof(control.b);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &memfd, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until there is something to read, or the end. */
static int wait_readable(int sock, int timeout_ms)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		int n = poll(&pfd, 1, timeout_ms);

		if (n > 0)
			return pfd.revents & POLLNVAL ? -EBADF : 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
		if (timeout_ms >= 0) {
			int64_t left = end - now_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
	}
}

/* Takes the descriptors out of a message, at most LINK_MAX_FDS. @return their number. */
static unsigned int take_fds(struct msghdr *msg, int *fds)
{
	unsigned int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t off = CMSG_LEN(0); off + sizeof(int) <= c->cmsg_len;
		     off += sizeof(int)) {
			int fd;

			memcpy(&fd, (const uint8_t *)c + off, sizeof(fd));
			if (n < LINK_MAX_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

static bool hello_ok(const struct dp_link_hello *h, unsigned int n_fds)
{
	return h->magic == DP_LINK_MAGIC && h->layout_version == DP_LAYOUT_VERSION
	       && h->has_region <= 1 && h->has_region == n_fds
	       && memchr(h->version, '\0', sizeof(h->version)) != NULL;
}

int dp_link_recv(int sock, struct dp_link_hello *hello, int *memfd, int timeout_ms)
{
	/* One byte more than a hello, so that a longer message is known by its length. */
	uint8_t buf[sizeof(struct dp_link_hello) + 1];
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(LINK_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.b,
			      .msg_controllen = sizeof(control.b) };
	struct dp_link_hello h = { 0 };
	int fds[LINK_MAX_FDS];
	unsigned int n_fds;
	ssize_t n;
	int err;

	*memfd = -1;
	memset(hello, 0, sizeof(*hello));
	if (sock < 0)
		return -EBADF; /* poll() would wait */
	err = wait_readable(sock, timeout_ms);
	if (err != 0)
		return err;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	n_fds = take_fds(&msg, fds);
	if ((size_t)n >= 2 * sizeof(uint32_t))
		memcpy(&h, buf, (size_t)n < sizeof(h) ? (size_t)n : sizeof(h));
	if ((size_t)n == sizeof(h) && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
	    && hello_ok(&h, n_fds)) {
		*memfd = n_fds == 1 ? fds[0] : -1;
		*hello = h;
		return 0;
	}
	for (unsigned int i = 0; i < n_fds; i++)
		close(fds[i]);
	if (n == 0)
		return -ECONNRESET;
	if (h.magic == DP_LINK_MAGIC) {
		h.version[sizeof(h.version) - 1] = '\0';
		*hello = h;
	}
	return -EPROTO;
}
