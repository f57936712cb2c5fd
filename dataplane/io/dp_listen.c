#include "dataplane/io/dp_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address(struct sockaddr_un *sa, const char *path, struct dp_failure *f)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path))
		return dp_fail(
			f, "link socket %s: the path is longer than %zu bytes; use a shorter one",
			path, sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Whether somebody listens there. */
static bool is_served(const struct sockaddr_un *sa)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (s < 0)
		return false;
	/* EAGAIN: its queue is full, so there is one. */
	served = connect(s, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN;
	close(s);
	return served;
}

/* Bind and listen, with the directory locked: of two that start at once, one finds the other. */
static int bind_locked(struct dp_listen *l, const struct sockaddr_un *sa, struct dp_failure *f)
{
	struct stat st;
	mode_t old;
	int ret;

	if (lstat(l->path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return dp_fail(
				f, "link socket %s: a file that is no socket is there; remove it",
				l->path);
		if (is_served(sa))
			return dp_fail(f,
				       "link socket %s: another data plane serves it; stop that "
				       "one, or choose another --socket",
				       l->path);
		unlink(l->path);
	}
	old = umask(0177);
	ret = bind(l->fd, (const struct sockaddr *)sa, sizeof(*sa));
	umask(old);
	if (ret != 0 || listen(l->fd, 4) != 0)
		return dp_fail(f, "link socket %s: %s; make its directory writable for this user",
			       l->path, strerror(errno));
	return 0;
}

static int open_directory(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(copy, sizeof(copy), "%s", path);
	return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int dp_listen_open(struct dp_listen *l, const char *path, struct dp_failure *f)
{
	struct sockaddr_un sa;
	int dir, ret;

	*l = (struct dp_listen){ .fd = -1, .control = -1 };
	if (address(&sa, path, f) != 0)
		return -1;
	memcpy(l->path, sa.sun_path, sizeof(l->path));
	dir = open_directory(path);
	if (dir < 0 || flock(dir, LOCK_EX) != 0)
		return dp_fail(f, "link socket %s: its directory cannot be opened (%s); make it",
			       path, strerror(errno));
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		ret = dp_fail(f, "link socket %s: %s", path, strerror(errno));
	else
		ret = bind_locked(l, &sa, f);
	close(dir);
	if (ret != 0 && l->fd >= 0) {
		close(l->fd);
		l->fd = -1;
	}
	return ret;
}

void dp_listen_close(struct dp_listen *l)
{
	dp_listen_drop(l);
	if (l->fd < 0)
		return;
	unlink(l->path);
	close(l->fd);
	l->fd = -1;
}

void dp_listen_drop(struct dp_listen *l)
{
	if (l->control >= 0)
		close(l->control);
	l->control = -1;
}

/* The file's mode keeps others out; this holds where the mode of a socket does not count. */
static bool is_trusted(int s)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0
	       && (peer.uid == 0 || peer.uid == geteuid());
}

/* Both hellos. */
static int greet(int s, int memfd, int *got)
{
	struct dp_link_hello hello;
	int ret;

	if (!is_trusted(s))
		return -EPERM;
	ret = dp_link_send(s, memfd);
	if (ret == 0)
		ret = dp_link_recv(s, &hello, got, DP_LISTEN_HELLO_MS);
	if (ret != 0)
		return ret;
	if (memfd < 0)
		return *got < 0 ? -EPROTO : 0;
	if (*got >= 0)
		close(*got); /* ours is the one that counts */
	*got = -1;
	return 0;
}

int dp_listen_accept(struct dp_listen *l, int memfd, int *got)
{
	int s = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int ret;

	*got = -1;
	if (s < 0)
		return -errno;
	ret = greet(s, memfd, got);
	if (ret != 0) {
		close(s);
		return ret;
	}
	dp_listen_drop(l);
	l->control = s;
	return 0;
}
