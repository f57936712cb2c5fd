/*
 * The link's state machine. One timer and one socket:
 *
 *	state       timer                                 socket
 *	WAITING     next attempt                          -
 *	CONNECTING  next connect(), every 10 ms           -
 *	GREETING    2 s: it does not say hello            hello
 *	STARTING    look at the region's state, 2 ms      end: it could not start
 *	UP          -                                     end: it died
 *	STOPPING    5 s: it does not stop, be rough       end: it has stopped
 *
 * The region's `incarnation` tells a data plane that has taken it from the one before, whose state
 * it still shows.
 */
#include "control/link/ctl_link.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "control/link/ctl_spawn.h"
#include "dataplane/dp_link.h"

enum {
	CONNECT_MS = 10,
	SOCKET_MS = 10000, /* for a data plane that was started to listen */
	IDLE_MS = 100,     /* between looks for one that others start */
	GREET_MS = 2000,
	LOOK_MS = 2,
	STOP_MS = 5000,
	BACKOFF_MS = 100,
	BACKOFF_MAX_MS = 5000,
	STEADY_MS = 10000, /* a data plane that ran so long did not fail at start */
};

struct ctl_link {
	struct ctl_link_params p;
	enum ctl_link_state state;
	struct event *timer, *child_event, *sock_event;
	int sock, memfd;
	struct dp_region *region;
	pid_t child;          /* started by us and not waited for yet, 0: none */
	pid_t peer;           /* who listens */
	uint64_t incarnation; /* before it was handed over */
	uint64_t since_ms;    /* of the state */
	unsigned int backoff_ms;
	bool found, said_waiting;
	bool replacing; /* the peer was told to end, its end is awaited */
};

static void connect_now(struct ctl_link *l);

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void arm(struct ctl_link *l, unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(l->timer, &tv);
}

static void enter(struct ctl_link *l, enum ctl_link_state state, unsigned int timer_ms)
{
	l->state = state;
	l->since_ms = now_ms();
	evtimer_del(l->timer);
	if (timer_ms)
		arm(l, timer_ms);
}

static void hang_up(struct ctl_link *l)
{
	if (l->sock_event)
		event_free(l->sock_event);
	l->sock_event = NULL;
	if (l->sock >= 0)
		close(l->sock);
	l->sock = -1;
}

/* ---- Failing */

static void fail(struct ctl_link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct ctl_link *l, const char *format, ...)
{
	char why[CTL_LINK_WHY_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	hang_up(l);
	if (l->state == CTL_LINK_STOPPING) {
		enter(l, CTL_LINK_STOPPED, 0);
		return;
	}
	enter(l, CTL_LINK_WAITING, l->backoff_ms ? l->backoff_ms : BACKOFF_MS);
	l->backoff_ms = l->backoff_ms ? 2 * l->backoff_ms : 2 * BACKOFF_MS;
	if (l->backoff_ms > BACKOFF_MAX_MS)
		l->backoff_ms = BACKOFF_MAX_MS;
	l->p.failed(l->p.arg, why);
}

/* A data plane that ran is gone: at once to the next attempt, if this one lasted. */
static void lost(struct ctl_link *l, const char *why)
{
	bool steady = now_ms() - l->since_ms >= STEADY_MS;

	hang_up(l);
	if (steady)
		l->backoff_ms = 0;
	enter(l, CTL_LINK_WAITING, l->backoff_ms ? l->backoff_ms : 1);
	l->backoff_ms = l->backoff_ms ? 2 * l->backoff_ms : BACKOFF_MS;
	if (l->backoff_ms > BACKOFF_MAX_MS)
		l->backoff_ms = BACKOFF_MAX_MS;
	l->p.down(l->p.arg, why);
}

/* ---- Starting: it has the region and opens its ports */

static bool took_over(const struct ctl_link *l)
{
	return l->found || atomic_load(&l->region->incarnation) != l->incarnation;
}

static void look(struct ctl_link *l)
{
	uint32_t state = atomic_load(&l->region->state);

	if (took_over(l) && state == DP_STATE_RUNNING) {
		enter(l, CTL_LINK_UP, 0);
		l->p.up(l->p.arg, l->found);
		return;
	}
	arm(l, LOOK_MS);
}

static void fail_start(struct ctl_link *l)
{
	if (took_over(l) && atomic_load(&l->region->state) == DP_STATE_FAILED)
		fail(l, "the data plane could not start: %.*s", (int)sizeof(l->region->failure),
		     l->region->failure);
	else
		fail(l,
		     "the data plane (process %d) ended before it could forward; its own "
		     "messages say why",
		     (int)l->peer);
}

/* ---- Greeting */

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev
	       && sa.st_ino == sb.st_ino;
}

/* It runs on a region: ours from now on, if we have none yet. @return false: it is not to be used.
 */
static bool adopt(struct ctl_link *l, int memfd)
{
	if (l->region) {
		bool same = same_file(memfd, l->memfd);

		close(memfd);
		if (same)
			return true;
		hang_up(l);
		enter(l, CTL_LINK_STOPPED, 0);
		l->p.foreign(l->p.arg);
		return false;
	}
	l->region = dp_region_map(memfd);
	if (!l->region) {
		int err = errno;

		close(memfd);
		fail(l,
		     "the region of the data plane (process %d) cannot be used: %s; restart it "
		     "(sipsteerd --replace-dataplane)",
		     (int)l->peer, strerror(err));
		return false;
	}
	l->memfd = memfd;
	return true;
}

static bool make_region(struct ctl_link *l)
{
	if (!l->region)
		l->region = dp_region_create(l->p.boot, l->p.heap_size, &l->memfd);
	if (!l->region) {
		fail(l, "cannot make the shared region: %s", strerror(errno));
		return false;
	}
	l->incarnation = atomic_load(&l->region->incarnation);
	atomic_store(&l->region->stop, 0);
	return true;
}

/* Our hello; with the region when it has none. */
static void answer(struct ctl_link *l, int memfd)
{
	int ret = dp_link_send(l->sock, memfd);

	if (ret < 0)
		fail(l, "cannot talk to the data plane (process %d): %s", (int)l->peer,
		     strerror(-ret));
	else
		enter(l, CTL_LINK_STARTING, LOOK_MS);
}

/* `replace`: end what runs, once, and start anew when it has ended. */
static void end_peer(struct ctl_link *l)
{
	l->p.replace = false;
	ctl_log(LOG_NOTICE, "ending the data plane that runs (process %d), as asked", (int)l->peer);
	if (l->peer <= 0 || kill(l->peer, SIGTERM) < 0) {
		fail(l, "cannot end the data plane (process %d): %s", (int)l->peer,
		     strerror(errno));
		return;
	}
	l->replacing = true;
	arm(l, STOP_MS);
}

static void peer_ended(struct ctl_link *l)
{
	l->replacing = false;
	hang_up(l);
	enter(l, CTL_LINK_WAITING, CONNECT_MS);
}

static void fail_hello(struct ctl_link *l, const struct dp_link_hello *hello, int ret)
{
	if (ret == -EPROTO && hello->magic == DP_LINK_MAGIC)
		fail(l,
		     "the data plane that runs (process %d, version %s) shares another layout "
		     "(%u) than this sipsteerd (%d): restart it at a quiet hour (sipsteerd "
		     "--replace-dataplane); until then it forwards as it was told last",
		     (int)l->peer, hello->version, hello->layout_version, DP_LAYOUT_VERSION);
	else
		fail(l, "the data plane (process %d) did not say hello at %s: %s", (int)l->peer,
		     l->p.socket, strerror(-ret));
}

static void greet(struct ctl_link *l)
{
	struct dp_link_hello hello;
	int memfd, ret = dp_link_recv(l->sock, &hello, &memfd, 0);
	bool runs = ret == -EPROTO || (ret == 0 && memfd >= 0);

	if (ret == -ETIMEDOUT)
		return;
	if (l->replacing) {
		peer_ended(l);
		return;
	}
	if (runs && l->p.replace) {
		if (memfd >= 0)
			close(memfd);
		end_peer(l);
		return;
	}
	l->p.replace = false;
	if (ret < 0) {
		fail_hello(l, &hello, ret);
		return;
	}
	l->found = memfd >= 0;
	if (memfd >= 0 ? adopt(l, memfd) : make_region(l))
		answer(l, l->found ? -1 : l->memfd);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_link *l = arg;

	(void)fd;
	(void)what;
	if (l->state == CTL_LINK_GREETING) {
		greet(l);
	} else if (l->state == CTL_LINK_STARTING) {
		fail_start(l);
	} else if (l->state == CTL_LINK_STOPPING) {
		hang_up(l);
		enter(l, CTL_LINK_STOPPED, 0);
	} else {
		lost(l, "the data plane is gone");
	}
}

/* ---- Connecting */

static pid_t peer_of(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

/* @return 0, or errno. */
static int try_connect(struct ctl_link *l)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err = 0;

	if (strlen(l->p.socket) >= sizeof(sun.sun_path))
		return ENAMETOOLONG;
	strcpy(sun.sun_path, l->p.socket);
	l->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->sock < 0)
		return errno;
	if (connect(l->sock, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		err = errno;
	else
		l->sock_event = event_new(l->p.base, l->sock, EV_READ | EV_PERSIST, on_socket, l);
	if (!err && (!l->sock_event || event_add(l->sock_event, NULL) < 0))
		err = ENOMEM;
	if (err)
		hang_up(l);
	else
		l->peer = peer_of(l->sock);
	return err;
}

static void start_one(struct ctl_link *l)
{
	pid_t pid = ctl_spawn_dataplane(l->p.program, l->p.socket);

	if (pid < 0) {
		fail(l,
		     "cannot start %s: %s; build or install it there, or say where it is with "
		     "--dataplane",
		     l->p.program, strerror((int)-pid));
		return;
	}
	l->child = pid;
	enter(l, CTL_LINK_CONNECTING, CONNECT_MS);
}

/* Nobody listens. */
static void nobody(struct ctl_link *l)
{
	if (l->child > 0) { /* started, and not there yet */
		if (now_ms() - l->since_ms >= SOCKET_MS)
			fail(l, "%s (process %d) does not listen at %s", l->p.program,
			     (int)l->child, l->p.socket);
		else
			arm(l, CONNECT_MS);
	} else if (l->p.program) {
		start_one(l);
	} else {
		if (!l->said_waiting)
			ctl_log(LOG_NOTICE, "waiting for a data plane at %s", l->p.socket);
		l->said_waiting = true;
		arm(l, IDLE_MS);
	}
}

static void connect_now(struct ctl_link *l)
{
	int err = try_connect(l);

	if (err == 0)
		enter(l, CTL_LINK_GREETING, GREET_MS);
	else if (err == ENOENT || err == ECONNREFUSED)
		nobody(l);
	else
		fail(l, "cannot connect to the data plane at %s: %s%s", l->p.socket, strerror(err),
		     err == EACCES || err == EPERM ? "; sipsteerd needs root" : "");
}

/* The peer does not end when it is asked to. */
static void kill_peer(struct ctl_link *l)
{
	ctl_log(LOG_WARNING, "the data plane (process %d) does not end: killing it", (int)l->peer);
	if (l->peer > 0)
		kill(l->peer, SIGKILL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_link *l = arg;

	(void)fd;
	(void)what;
	switch (l->state) {
	case CTL_LINK_WAITING: enter(l, CTL_LINK_CONNECTING, 0); __attribute__((fallthrough));
	case CTL_LINK_CONNECTING: connect_now(l); break;
	case CTL_LINK_GREETING:
		if (l->replacing)
			kill_peer(l);
		else
			fail(l,
			     "the data plane (process %d) does not say hello at %s within %d "
			     "s: is it stopped?",
			     (int)l->peer, l->p.socket, GREET_MS / 1000);
		break;
	case CTL_LINK_STARTING: look(l); break;
	case CTL_LINK_STOPPING: kill_peer(l); break;
	default: break;
	}
}

/* ---- The child */

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_link *l = arg;
	int status;
	char how[64];

	(void)fd;
	(void)what;
	if (l->child <= 0 || waitpid(l->child, &status, WNOHANG) != l->child)
		return;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	ctl_log(LOG_NOTICE, "data plane process %d %s", (int)l->child, how);
	l->child = 0;
	if (l->state == CTL_LINK_CONNECTING)
		fail(l, "the data plane %s at its start; its own messages say why", how);
}

/* ---- The interface */

struct ctl_link *ctl_link_new(const struct ctl_link_params *p)
{
	struct ctl_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->p = *p;
	l->sock = l->memfd = -1;
	l->timer = evtimer_new(p->base, on_timer, l);
	l->child_event = evsignal_new(p->base, SIGCHLD, on_child, l);
	if (!l->timer || !l->child_event || event_add(l->child_event, NULL) < 0) {
		ctl_link_free(l);
		return NULL;
	}
	enter(l, CTL_LINK_WAITING, 1);
	return l;
}

void ctl_link_free(struct ctl_link *l)
{
	if (!l)
		return;
	hang_up(l);
	if (l->timer)
		event_free(l->timer);
	if (l->child_event)
		event_free(l->child_event);
	if (l->region)
		dp_region_unmap(l->region);
	if (l->memfd >= 0)
		close(l->memfd);
	free(l);
}

enum ctl_link_state ctl_link_state(const struct ctl_link *l)
{
	return l->state;
}

struct dp_region *ctl_link_region(const struct ctl_link *l)
{
	return l->region;
}

void ctl_link_stop(struct ctl_link *l)
{
	bool runs = l->state == CTL_LINK_UP || l->state == CTL_LINK_STARTING;

	if (l->region)
		atomic_store(&l->region->stop, 1);
	if (runs) {
		enter(l, CTL_LINK_STOPPING, STOP_MS);
		return;
	}
	/* On its way: it has no region yet, and so nothing to do in an orderly manner. */
	if (l->child > 0)
		kill(l->child, SIGTERM);
	hang_up(l);
	enter(l, CTL_LINK_STOPPED, 0);
}
