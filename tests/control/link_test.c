/* Finding, starting, adopting and restarting a data plane, with real processes on both ends. */
#include "control/link/ctl_link.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/dp_link.h"

static struct event_base *base;
static char dir[64], socket_path[96], log_path[96];
static struct dp_boot boot = { .n_workers = 1 };

struct seen {
	unsigned int up, found, down, failed, foreign;
	char why[CTL_LINK_WHY_SIZE];
};

static void on_up(void *arg, bool found)
{
	struct seen *s = arg;

	s->up++;
	s->found += found;
}

static void on_down(void *arg, const char *why)
{
	struct seen *s = arg;

	s->down++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void on_failed(void *arg, const char *why)
{
	struct seen *s = arg;

	s->failed++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void on_foreign(void *arg)
{
	struct seen *s = arg;

	s->foreign++;
}

static struct ctl_link *link_new(struct seen *s, const char *program)
{
	struct ctl_link_params p = { .base = base,
				     .socket = socket_path,
				     .program = program,
				     .boot = &boot,
				     .heap_size = 1 << 20,
				     .up = on_up,
				     .down = on_down,
				     .failed = on_failed,
				     .foreign = on_foreign,
				     .arg = s };

	memset(s, 0, sizeof(*s));
	return ctl_link_new(&p);
}

#define UNTIL(condition)                                    \
	do {                                                \
		while (!(condition))                        \
			event_base_loop(base, EVLOOP_ONCE); \
	} while (0)

static void run_for(int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* The n-th data plane that was started: its process and session. */
static pid_t started(unsigned int n, pid_t *session)
{
	FILE *f = fopen(log_path, "r");
	int pid = 0, sid = 0;

	for (unsigned int i = 0; f && i <= n; i++) {
		if (fscanf(f, "%d %d", &pid, &sid) != 2)
			pid = 0;
	}
	if (f)
		fclose(f);
	if (session)
		*session = sid;
	return pid;
}

static unsigned int n_started(void)
{
	unsigned int n = 0;

	while (started(n, NULL))
		n++;
	return n;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/link_test.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/dataplane.sock", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	setenv("FAKE_LOG", log_path, 1);
	unsetenv("FAKE");
	base = event_base_new();
}

/* Whatever the test did, no process of its stays behind. */
static void teardown(void)
{
	char command[80];
	pid_t pid;

	for (unsigned int i = 0; (pid = started(i, NULL)) != 0; i++)
		kill(pid, SIGKILL);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(link, .init = setup, .fini = teardown, .timeout = 60);

Test(link, a_data_plane_is_started_in_a_session_of_its_own)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, LINK_FAKE);
	pid_t sid;

	UNTIL(s.up);
	cr_expect_eq(ctl_link_state(l), CTL_LINK_UP);
	cr_expect_eq(s.found, 0);
	cr_expect_eq(s.failed, 0);
	cr_expect_eq((pid_t)atomic_load(&ctl_link_region(l)->pid), started(0, &sid));
	cr_expect_eq(sid, started(0, NULL));
	cr_expect_neq(sid, getsid(0));
	ctl_link_free(l);
	cr_expect_eq(kill(sid, 0), 0, "it goes on without us");
}

Test(link, one_that_runs_is_adopted_with_its_region)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, LINK_FAKE);

	UNTIL(s.up);
	atomic_store(&ctl_link_region(l)->pair_words[7], 4711);
	ctl_link_free(l);
	l = link_new(&s, LINK_FAKE);
	UNTIL(s.up);
	cr_expect_eq(s.found, 1);
	cr_expect_eq(atomic_load(&ctl_link_region(l)->pair_words[7]), 4711);
	cr_expect_eq(atomic_load(&ctl_link_region(l)->incarnation), 1);
	cr_expect_eq(n_started(), 1);
	ctl_link_free(l);
}

Test(link, one_that_is_killed_is_followed_by_one_on_the_same_region)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, LINK_FAKE);

	UNTIL(s.up);
	atomic_store(&ctl_link_region(l)->pair_words[7], 4711);
	kill(started(0, NULL), SIGKILL);
	UNTIL(s.up == 2);
	cr_expect_eq(s.down, 1);
	cr_expect_eq(s.found, 0);
	cr_expect_eq(atomic_load(&ctl_link_region(l)->pair_words[7]), 4711);
	cr_expect_eq(atomic_load(&ctl_link_region(l)->incarnation), 2);
	cr_expect_eq((pid_t)atomic_load(&ctl_link_region(l)->pid), started(1, NULL));
	ctl_link_free(l);
}

Test(link, again_and_again)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, LINK_FAKE);

	for (unsigned int i = 1; i <= 4; i++) {
		UNTIL(s.up == i);
		kill(started(i - 1, NULL), SIGKILL);
	}
	UNTIL(s.up == 5);
	cr_expect_eq(s.down, 4);
	ctl_link_free(l);
}

Test(link, an_old_control_that_died_before_the_hand_over_is_no_obstacle)
{
	struct seen s;
	struct ctl_link *l;
	pid_t pid = fork();

	if (pid == 0) {
		execl(LINK_FAKE, LINK_FAKE, "--socket", socket_path, NULL);
		_exit(1);
	}
	l = link_new(&s, NULL);
	UNTIL(s.up);
	cr_expect_eq(s.found, 0, "it had no region");
	cr_expect_eq(started(0, NULL), pid);
	ctl_link_free(l);
}

Test(link, failures_are_said_and_tried_again)
{
	static const struct {
		const char *mode;
		const char *says[2];
	} rows[] = {
		{ "exit", { "ended with status 3", "messages" } },
		{ "fail", { "could not start: port net0: device \"x\" does not exist", "" } },
		{ "crash", { "ended before it could forward", "" } },
		{ "mute", { "does not say hello", "is it stopped" } },
		{ "layout", { "version 9.9", "--replace-dataplane" } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen s;
		struct ctl_link *l;
		unsigned int before = n_started();

		setenv("FAKE", rows[i].mode, 1);
		l = link_new(&s, LINK_FAKE);
		UNTIL(s.failed);
		for (size_t k = 0; k < 2; k++)
			cr_expect(strstr(s.why, rows[i].says[k]), "%s: %s", rows[i].mode, s.why);
		cr_expect_eq(ctl_link_state(l), CTL_LINK_WAITING);
		/* what misbehaves mends itself, or is replaced */
		setenv("FAKE", "", 1);
		kill(started(before, NULL), SIGKILL);
		UNTIL(s.up);
		kill(started(n_started() - 1, NULL), SIGKILL);
		ctl_link_free(l);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		unlink(socket_path);
	}
}

Test(link, a_program_that_is_not_there_is_said)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, "/nonexistent/sipsteer-dataplane");

	UNTIL(s.failed);
	cr_expect(strstr(s.why, "/nonexistent/sipsteer-dataplane"), "%s", s.why);
	cr_expect(strstr(s.why, "--dataplane"), "%s", s.why);
	ctl_link_free(l);
}

Test(link, under_a_supervisor_none_is_started)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, NULL);

	run_for(300);
	cr_expect_eq(s.failed + s.up, 0);
	cr_expect_eq(ctl_link_state(l), CTL_LINK_CONNECTING);
	ctl_link_free(l);
}

Test(link, one_that_runs_is_replaced_when_asked)
{
	static const char *const modes[] = { "", "layout" };

	for (size_t i = 0; i < 2; i++) {
		struct ctl_link_params p = { .base = base, .socket = socket_path, .replace = true };
		struct seen s = { 0 };
		struct ctl_link *l;
		unsigned int before = n_started();
		pid_t pid = fork();

		if (pid == 0) {
			setenv("FAKE", modes[i], 1);
			execl(LINK_FAKE, LINK_FAKE, "--socket", socket_path, NULL);
			_exit(1);
		}
		while (n_started() == before || access(socket_path, F_OK) < 0)
			usleep(1000);
		if (!modes[i][0]) { /* give it a region */
			l = link_new(&s, NULL);
			UNTIL(s.up);
			ctl_link_free(l);
		}
		p.program = LINK_FAKE;
		p.boot = &boot;
		p.heap_size = 1 << 20;
		p.up = on_up;
		p.down = on_down;
		p.failed = on_failed;
		p.foreign = on_foreign;
		p.arg = &s;
		memset(&s, 0, sizeof(s));
		l = ctl_link_new(&p);
		UNTIL(s.up);
		cr_expect_eq(s.found, 0);
		cr_expect_eq(n_started(), before + 2, "%s", modes[i]);
		cr_expect_eq(waitpid(pid, NULL, 0), pid);
		kill(started(n_started() - 1, NULL), SIGKILL);
		ctl_link_free(l);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		unlink(socket_path);
	}
}

Test(link, stopping_ends_it_for_good)
{
	struct seen s;
	struct ctl_link *l = link_new(&s, LINK_FAKE);

	UNTIL(s.up);
	ctl_link_stop(l);
	UNTIL(ctl_link_state(l) == CTL_LINK_STOPPED);
	run_for(300);
	cr_expect_eq(kill(started(0, NULL), 0), -1, "it has ended");
	cr_expect_eq(n_started(), 1, "and no other was started");
	cr_expect_eq(s.down, 0);
	ctl_link_free(l);
}

Test(link, one_that_does_not_stop_is_killed)
{
	struct seen s;
	struct ctl_link *l;

	setenv("FAKE", "stubborn", 1);
	l = link_new(&s, LINK_FAKE);
	UNTIL(s.up);
	ctl_link_stop(l);
	UNTIL(ctl_link_state(l) == CTL_LINK_STOPPED);
	ctl_link_free(l);
}

/* Two controls: the second one brings a region of its own to a data plane that it started. */
Test(link, a_region_of_somebody_else_is_not_taken_for_ours)
{
	struct seen a, b;
	struct ctl_link *first = link_new(&a, LINK_FAKE), *second;

	UNTIL(a.up);
	setenv("FAKE", "exit", 1); /* so that the first one does not come back before */
	kill(started(0, NULL), SIGKILL);
	UNTIL(a.failed);
	setenv("FAKE", "", 1);
	second = link_new(&b, LINK_FAKE);
	UNTIL(b.up);
	UNTIL(a.up == 2 || a.foreign);
	cr_expect_eq(a.foreign, 1);
	cr_expect_eq(ctl_link_state(first), CTL_LINK_STOPPED);
	ctl_link_free(first);
	ctl_link_free(second);
}
