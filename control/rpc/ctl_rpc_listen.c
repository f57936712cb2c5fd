/*
 * Taking the control socket. The lock is flock(2) on a file that stays: it goes with its holder,
 * so that a killed sipsteerd leaves nothing to clean up.
 */
#include "control/rpc/ctl_rpc_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) };

int ctl_rpc_beside(const char *socket_path, const char *name, char *out)
{
	const char *slash = strrchr(socket_path, '/');
	int dir_len = slash ? (int)(slash - socket_path) + 1 : 0;
	int n = snprintf(out, PATH_SIZE, "%.*s%s", dir_len, socket_path, name);

	return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int fail(char *err, int code, const char *what, const char *path, const char *remedy)
{
	snprintf(err, CTL_LISTEN_ERROR_SIZE, "%s %s: %s%s%s", what, path, strerror(code),
		 remedy[0] ? "; " : "", remedy);
	return -code;
}

static int make_directory(const char *socket_path, char *err)
{
	char dir[PATH_SIZE];

	if (ctl_rpc_beside(socket_path, "", dir) < 0)
		return fail(err, ENAMETOOLONG, "control socket", socket_path,
			    "a Unix socket's path has at most 107 bytes: choose a shorter "
			    "control-socket");
	if (dir[0] && mkdir(dir, 0755) < 0 && errno != EEXIST)
		return fail(err, errno, "cannot make the control socket's directory", dir,
			    "make it, or choose another control-socket");
	return 0;
}

/* The holder's process id, as it wrote it into the lock file, for the message. */
static int fail_locked(int fd, const char *socket_path, char *err)
{
	char pid[16] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	if (n > 0)
		pid[strcspn(pid, "\n")] = '\0';
	snprintf(err, CTL_LISTEN_ERROR_SIZE,
		 "another sipsteerd (process %s) already serves %s; end it first, or choose "
		 "another control-socket directory",
		 pid[0] ? pid : "unknown", socket_path);
	close(fd);
	return -EBUSY;
}

int ctl_rpc_lock(const char *socket_path, char *err)
{
	char path[PATH_SIZE];
	int ret = make_directory(socket_path, err);
	int fd;

	if (ret < 0)
		return ret;
	if (ctl_rpc_beside(socket_path, "sipsteerd.lock", path) < 0)
		return fail(err, ENAMETOOLONG, "control socket", socket_path,
			    "choose a shorter control-socket");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, errno, "cannot open the lock", path,
			    errno == EACCES ? "sipsteerd needs root" : "");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail_locked(fd, socket_path, err);
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", (int)getpid());
	return fd;
}

static int remove_stale(const char *path, char *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(err, errno, "control socket", path, "");
	if (!S_ISSOCK(st.st_mode))
		return fail(err, EEXIST, "control socket", path,
			    "what is there is no socket: remove it, or choose another "
			    "control-socket");
	if (unlink(path) < 0)
		return fail(err, errno, "cannot remove the stale control socket", path, "");
	return 0;
}

int ctl_rpc_listen(const char *path, char *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	mode_t mask;
	int fd, ret;

	if (len >= sizeof(sun.sun_path))
		return fail(err, ENAMETOOLONG, "control socket", path,
			    "a Unix socket's path has at most 107 bytes");
	memcpy(sun.sun_path, path, len + 1);
	ret = remove_stale(path, err);
	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, errno, "control socket", path, "");
	mask = umask(0117); /* 0660 from the first moment on */
	ret = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (ret < 0 || listen(fd, 64) < 0) {
		ret = fail(err, errno, "cannot listen at", path, "");
		close(fd);
		return ret;
	}
	return fd;
}

int ctl_rpc_group(const char *path, const char *group, char *err)
{
	const struct group *known = getgrnam(group);
	char *end;
	unsigned long number = strtoul(group, &end, 10);

	if (!known && (*end || end == group || number >= UINT32_MAX)) {
		snprintf(err, CTL_LISTEN_ERROR_SIZE,
			 "control-group: there is no group %s; make it (groupadd), or choose "
			 "another",
			 group);
		return -ENOENT;
	}
	if (chown(path, (uid_t)-1, known ? known->gr_gid : (gid_t)number) < 0)
		return fail(err, errno, "cannot give the control socket to a group:", path,
			    "sipsteerd needs root for that");
	return 0;
}
