#include "dataplane/io/dp_wake.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BROKEN (POLLERR | POLLHUP | POLLNVAL)

void dp_wake_add(struct dp_wake *w, int fd)
{
	if (w->n == DP_WAKE_FDS) {
		w->usable = false;
		return;
	}
	w->fds[w->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

bool dp_wake_knows(const char *device)
{
	static const char *const drivers[] = { "net_af_xdp", "net_af_packet" };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strncmp(device, drivers[i], strlen(drivers[i])) == 0)
			return true;
	return false;
}

static bool is_packet_socket(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0
	       && (domain == AF_XDP || domain == AF_PACKET);
}

static void look_at(struct dp_wake *w, const char *name, bool taps)
{
	char path[64], target[64];
	struct pollfd now = { .fd = atoi(name), .events = POLLIN };
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%.20s", name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	if (strcmp(target, "/dev/net/tun") == 0 ? !taps : !is_packet_socket(now.fd))
		return;
	/* A TUN queue that is detached, as net_tap keeps one, is in error all the time. */
	if (poll(&now, 1, 0) >= 0 && !(now.revents & BROKEN))
		dp_wake_add(w, now.fd);
}

void dp_wake_find(struct dp_wake *w, bool usable, bool taps)
{
	DIR *d = opendir("/proc/self/fd");

	*w = (struct dp_wake){ .usable = usable && d };
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (e->d_name[0] != '.')
			look_at(w, e->d_name, taps);
	if (d)
		closedir(d);
}

bool dp_wake_wait(struct dp_wake *w, uint32_t us)
{
	struct timespec most = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	if (ppoll(w->fds, w->n, &most, NULL) <= 0)
		return false;
	for (unsigned int i = 0; i < w->n; i++)
		if (w->fds[i].revents & BROKEN)
			w->usable = false;
	return true;
}
