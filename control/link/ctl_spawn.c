/*
 * Processes. All descriptors of control are close-on-exec; nothing is handed over but stdout and
 * stderr.
 */
#include "control/link/ctl_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char name[] = "sipsteer-dataplane";

int ctl_spawn_find(char *out, size_t size)
{
	char self[4096], other[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	snprintf(out, size, "%.*s%s", slash ? (int)(slash - self) + 1 : 0, self, name);
	if (access(out, X_OK) == 0)
		return 0;
	snprintf(other, sizeof(other), SIPSTEER_LIBEXECDIR "/%s", name);
	if (access(other, X_OK) < 0)
		return -ENOENT;
	snprintf(out, size, "%s", other);
	return 0;
}

/* Signals as a fresh process has them, and a session of its own. */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	ret = posix_spawnattr_setsigmask(attr, &none);
	if (ret == 0)
		ret = posix_spawnattr_setsigdefault(attr, &all);
	if (ret == 0)
		ret = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK
							     | POSIX_SPAWN_SETSIGDEF);
	return ret;
}

pid_t ctl_spawn_dataplane(const char *program, const char *socket)
{
	char *argv[] = { (char *)program, (char *)"--socket", (char *)socket, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid = -1;
	int ret;

	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attr);
	if (ret)
		goto out_actions;
	ret = set_attributes(&attr);
	if (ret == 0)
		ret = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
						       O_RDONLY, 0);
	if (ret == 0)
		ret = posix_spawn(&pid, program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
out_actions:
	posix_spawn_file_actions_destroy(&actions);
	return ret ? -ret : pid;
}
