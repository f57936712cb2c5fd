/*
 * Stands for sipsteer-dataplane where only the link is tested: it speaks dp_link and takes the
 * region, and has no ports and no workers. The environment's FAKE says how it misbehaves; each
 * start adds a line with its process id to the file that FAKE_LOG names.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/dp_link.h"
#include "dataplane/dp_region.h"

static const char *mode;
static struct dp_region *region;
static int memfd = -1, listener;

static void say_start(void)
{
	const char *path = getenv("FAKE_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%d %d\n", (int)getpid(), (int)getsid(0));
	fclose(f);
}

static bool is(const char *what)
{
	return strcmp(mode, what) == 0;
}

/* The path shows up when the socket listens, not before. */
static void listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s.%d", path, (int)getpid());
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(listener, 4) < 0
	    || rename(sun.sun_path, path) < 0)
		exit(2);
}

static void start(void)
{
	atomic_store(&region->state, DP_STATE_STARTING);
	atomic_store(&region->pid, (uint32_t)getpid());
	atomic_fetch_add(&region->incarnation, 1);
	if (is("fail")) {
		strcpy(region->failure,
		       "port net0: device \"x\" does not exist: name one that does");
		atomic_store(&region->state, DP_STATE_FAILED);
		exit(1);
	}
	if (is("crash"))
		abort();
	atomic_store(&region->state, DP_STATE_RUNNING);
}

static int greet(void)
{
	struct dp_link_hello hello;
	int s = accept(listener, NULL, NULL), got = -1;

	if (is("mute"))
		pause();
	if (is("layout")) {
		hello = (struct dp_link_hello){ .magic = DP_LINK_MAGIC,
						.layout_version = DP_LAYOUT_VERSION + 1,
						.version = "9.9" };
		send(s, &hello, sizeof(hello), 0);
		return s;
	}
	dp_link_send(s, memfd);
	if (dp_link_recv(s, &hello, &got, 1000) < 0) {
		close(s);
		return -1;
	}
	if (!region) {
		memfd = got;
		region = dp_region_map(got);
		start();
	}
	return s;
}

/* A new control replaces the old one; `stop` ends us. */
int main(int argc, char **argv)
{
	int control = -1;

	mode = getenv("FAKE") ? getenv("FAKE") : "";
	if (argc != 3 || strcmp(argv[1], "--socket") != 0)
		return 2;
	say_start();
	if (is("exit"))
		return 3;
	listen_at(argv[2]);
	for (;;) {
		struct pollfd p = { .fd = listener, .events = POLLIN };

		if (region && atomic_load(&region->stop) && !is("stubborn"))
			return 0;
		if (poll(&p, 1, 5) > 0) {
			int s = greet();

			if (s >= 0) {
				close(control);
				control = s;
			}
		}
	}
}
