/*
 * The link: hellos with and without a region, over a real SEQPACKET pair; and everything that a
 * peer of another build, or one that has gone mad, may send instead. No descriptor is ever left
 * open behind the caller's back.
 */
#include "dataplane/dp_link.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "dataplane/dp_region.h"
#include "tests/leaks.h"

static int peer[2]; /* [0] sends, [1] is under test */

static void setup(void)
{
	cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, peer) == 0);
}

static void teardown(void)
{
	close(peer[0]);
	close(peer[1]);
	leaks_check();
}

TestSuite(dp_link, .init = setup, .fini = teardown);

static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino
	       && x.st_dev == y.st_dev;
}

static struct dp_link_hello good_hello(unsigned int has_region)
{
	struct dp_link_hello h = { .magic = DP_LINK_MAGIC,
				   .layout_version = DP_LAYOUT_VERSION,
				   .has_region = has_region,
				   .pid = 7,
				   .version = "1.2.3" };
	return h;
}

/* Send bytes with n copies of a descriptor, in one control message or in one each. */
static void send_raw(const void *data, size_t len, unsigned int n_fds, bool apart)
{
	union {
		struct cmsghdr align;
		uint8_t b[4096];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;
	int fds[253];
	unsigned int per = apart ? 1 : n_fds;

	for (unsigned int i = 0; i < n_fds; i++)
		fds[i] = peer[0];
	for (unsigned int i = 0; i < n_fds; i += per) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(per * sizeof(int));
		memcpy(CMSG_DATA(c), fds, per * sizeof(int));
		msg.msg_control = control.b;
		msg.msg_controllen += CMSG_SPACE(per * sizeof(int));
		c = (struct cmsghdr *)(control.b + msg.msg_controllen);
	}
	cr_assert(sendmsg(peer[0], &msg, MSG_NOSIGNAL) == (ssize_t)len, "%s", strerror(errno));
}

Test(dp_link, hello_without_a_region)
{
	struct dp_link_hello h;
	int fd = 99;

	cr_expect(dp_link_send(peer[0], -1) == 0);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == 0);
	cr_expect(fd == -1 && h.has_region == 0);
	cr_expect(h.magic == DP_LINK_MAGIC && h.layout_version == DP_LAYOUT_VERSION);
	cr_expect(h.pid == (uint32_t)getpid());
	cr_expect(strlen(h.version) > 0);
}

Test(dp_link, hello_with_a_region_hands_it_over)
{
	struct dp_boot boot = { .n_workers = 1 };
	struct dp_link_hello h;
	struct dp_region *r, *q;
	int mine = -1, fd = -1;

	r = dp_region_create(&boot, 4096, &mine);
	cr_assert_not_null(r);
	cr_expect(dp_link_send(peer[0], mine) == 0);
	cr_expect(fcntl(mine, F_GETFD) >= 0, "it stays the sender's");
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == 0);
	cr_assert(fd >= 0 && fd != mine && same_file(fd, mine) && h.has_region == 1);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	q = dp_region_map(fd);
	cr_expect_not_null(q);
	dp_region_unmap(q);
	dp_region_unmap(r);
	close(fd);
	close(mine);
}

Test(dp_link, nobody_speaks)
{
	struct dp_link_hello h;
	int fd;

	cr_expect(dp_link_recv(peer[1], &h, &fd, 0) == -ETIMEDOUT);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 20) == -ETIMEDOUT);
	cr_expect(fd == -1);
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

Test(dp_link, signals_do_not_end_the_wait)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct dp_link_hello h;
	int fd;

	cr_assert(sigaction(SIGALRM, &sa, NULL) == 0);
	cr_assert(setitimer(ITIMER_REAL, &every, NULL) == 0);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 50) == -ETIMEDOUT);
	cr_assert(setitimer(ITIMER_REAL, &never, NULL) == 0);
	cr_expect(signals > 0);
}

Test(dp_link, peer_is_gone)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct dp_link_hello h;
	int fd;

	cr_assert(sigaction(SIGPIPE, &sa, NULL) == 0);
	close(peer[0]);
	peer[0] = -1;
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -ECONNRESET && fd == -1);
	cr_expect(dp_link_send(peer[1], -1) == -EPIPE && signals == 0, "%d signals", signals);
	cr_expect(dp_link_recv(-1, &h, &fd, 1000) == -EBADF);
	cr_expect(dp_link_send(-1, -1) == -EBADF);
}

Test(dp_link, hello_that_was_sent_before_the_end_is_received)
{
	struct dp_link_hello h;
	int fd;

	cr_expect(dp_link_send(peer[0], -1) == 0);
	close(peer[0]);
	peer[0] = -1;
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == 0);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -ECONNRESET);
}

static const struct {
	const char *what;
	size_t len; /* of a good hello's bytes, zeros behind; 0: all */
	size_t at;  /* byte of it that is changed to `to` */
	uint8_t to;
	uint8_t has_region;
	uint8_t n_fds;
	bool apart;
	int result;
} messages[] = {
	{ "good, without", 0, 0, 0, 0, 0, false, 0 },
	{ "good, with", 0, 0, 0, 1, 1, false, 0 },
	{ "says it has a region, attaches none", 0, 0, 0, 1, 0, false, -EPROTO },
	{ "says it has none, attaches one", 0, 0, 0, 0, 1, false, -EPROTO },
	{ "attaches two", 0, 0, 0, 1, 2, false, -EPROTO },
	{ "says it has two, attaches two", 0, 0, 0, 2, 2, false, -EPROTO },
	{ "attaches two, apart", 0, 0, 0, 1, 2, true, -EPROTO },
	{ "attaches 16", 0, 0, 0, 1, 16, false, -EPROTO },
	{ "attaches 17, more than are taken", 0, 0, 0, 1, 17, false, -EPROTO },
	{ "attaches 253, all that can be", 0, 0, 0, 1, 253, false, -EPROTO },
	{ "another magic", 0, 1, 'x', 0, 0, false, -EPROTO },
	{ "another magic, with", 0, 1, 'x', 1, 1, false, -EPROTO },
	{ "another layout", 0, 4, DP_LAYOUT_VERSION + 1, 0, 0, false, -EPROTO },
	{ "another layout, with", 0, 4, DP_LAYOUT_VERSION + 1, 1, 1, false, -EPROTO },
	{ "a byte short", sizeof(struct dp_link_hello) - 1, 0, 0, 1, 1, false, -EPROTO },
	{ "a byte long", sizeof(struct dp_link_hello) + 1, 0, 0, 1, 1, false, -EPROTO },
	{ "far too long", 4000, 0, 0, 1, 1, false, -EPROTO },
	{ "one byte", 1, 0, 0, 0, 0, false, -EPROTO },
	{ "one byte, with", 1, 0, 0, 1, 1, false, -EPROTO },
};

Test(dp_link, nonsense_is_refused_and_what_it_carried_is_closed)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct dp_link_hello good = good_hello(messages[i].has_region), h;
		size_t len = messages[i].len != 0 ? messages[i].len : sizeof(good);
		unsigned int before = open_fds();
		uint8_t data[4096] = { 0 };
		int fd = 99, result;

		memcpy(data, &good, sizeof(good));
		if (messages[i].at != 0)
			data[messages[i].at] = messages[i].to;
		send_raw(data, len, messages[i].n_fds, messages[i].apart);
		result = dp_link_recv(peer[1], &h, &fd, 1000);
		cr_expect(result == messages[i].result, "%s: %d", messages[i].what, result);
		cr_expect((fd >= 0) == (result == 0 && messages[i].n_fds == 1), "%s",
			  messages[i].what);
		if (fd >= 0)
			close(fd);
		cr_expect(open_fds() == before, "%s: %u descriptors open, not %u", messages[i].what,
			  open_fds(), before);
	}
}

/* Two are attached, there is room in the process for one: the kernel drops the other. */
Test(dp_link, descriptors_that_the_kernel_had_to_drop_make_the_hello_bad)
{
	struct dp_link_hello good = good_hello(1), h;
	struct rlimit limit;
	int fd, next;

	send_raw(&good, sizeof(good), 2, false);
	next = dup(peer[0]);
	cr_assert(next >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	close(next);
	limit.rlim_cur = (rlim_t)next + 1;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO && fd == -1);
	cr_expect(fcntl(next, F_GETFD) == -1, "the one that came is closed");
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

Test(dp_link, version_without_an_end_is_refused)
{
	struct dp_link_hello good = good_hello(0), h;
	int fd;

	memset(good.version, 'v', sizeof(good.version));
	send_raw(&good, sizeof(good), 0, false);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO);
	cr_expect(memchr(h.version, '\0', sizeof(h.version)) != NULL, "fit to be printed");
}

Test(dp_link, another_layout_is_named)
{
	struct dp_link_hello other = good_hello(0), h;
	int fd;

	other.layout_version = 77;
	send_raw(&other, sizeof(other), 0, false);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO);
	cr_expect(h.layout_version == 77);
	cr_expect_str_eq(h.version, "1.2.3");

	/* Even when the hello itself has changed. */
	send_raw(&other, 16, 0, false);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO);
	cr_expect(h.layout_version == 77);

	other.magic = 1;
	send_raw(&other, sizeof(other), 0, false);
	cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO);
	cr_expect(h.magic == 0 && h.layout_version == 0, "somebody else's");
}

Test(dp_link, messages_without_end_do_not_confuse)
{
	struct dp_link_hello h;
	uint8_t garbage[64];
	uint64_t x = 88172645463325252ull;
	unsigned int before = open_fds();

	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int n_fds, len;
		int fd;

		for (unsigned int k = 0; k < sizeof(garbage); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			garbage[k] = (uint8_t)x;
		}
		len = 1 + garbage[0] % sizeof(garbage);
		n_fds = garbage[1] % 3;
		send_raw(garbage, len, n_fds, garbage[2] & 1);
		cr_expect(dp_link_recv(peer[1], &h, &fd, 1000) == -EPROTO && fd == -1);
	}
	cr_expect(open_fds() == before);
}
