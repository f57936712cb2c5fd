/*
 * Logging: levels, one line for each message, stderr or the journal.
 */
#include "control/base/ctl_log.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(log, .fini = leaks_check);

static FILE *stderr_file;

/* What follows goes to a file that heard() reads. */
static void listen_to_stderr(void)
{
	stderr_file = tmpfile();
	cr_assert_not_null(stderr_file);
	cr_assert_geq(dup2(fileno(stderr_file), STDERR_FILENO), 0);
}

static const char *heard(void)
{
	static char text[16384];
	ssize_t n = pread(fileno(stderr_file), text, sizeof(text) - 1, 0);

	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

Test(log, levels)
{
	listen_to_stderr();
	ctl_log_open("lb");
	ctl_log(LOG_ERR, "one %d", 1);
	ctl_log(LOG_INFO, "two");
	ctl_log(LOG_DEBUG, "three");
	ctl_log_level(LOG_ERR);
	ctl_log(LOG_WARNING, "four");
	ctl_log_level(LOG_DEBUG);
	ctl_log(LOG_DEBUG, "five");
	cr_expect_str_eq(heard(), "lb: error: one 1\nlb: info: two\nlb: debug: five\n");
}

/* What comes from outside cannot pretend to be a second line, nor steer a terminal. */
Test(log, one_line_each)
{
	listen_to_stderr();
	ctl_log_open("lb");
	ctl_log(LOG_INFO, "name %s", "a\nlb: error: forged\r\x1b[2J");
	cr_expect_str_eq(heard(), "lb: info: name a lb: error: forged  [2J\n");
}

Test(log, a_long_message_is_cut)
{
	static char big[10000];
	const char *said;

	listen_to_stderr();
	ctl_log_open("lb");
	memset(big, 'x', sizeof(big) - 1);
	ctl_log(LOG_INFO, "%s", big);
	said = heard();
	cr_expect_lt(strlen(said), 4200);
	cr_expect_eq(said[strlen(said) - 1], '\n');
}

static const char *const streams[] = { "", "1:2", "nonsense", "1", "-1:-1" };

/* Redirected, stderr is not the journal, whatever the variable says. */
Test(log, stderr_that_is_not_the_journals)
{
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		listen_to_stderr();
		setenv("JOURNAL_STREAM", streams[i], 1);
		ctl_log_open("lb");
		ctl_log(LOG_NOTICE, "here");
		cr_expect_str_eq(heard(), "lb: notice: here\n", "%s", streams[i]);
		fclose(stderr_file);
	}
}

/* ---- The journal: its socket, in a mount namespace of our own */

#define JOURNAL "/run/systemd/journal"

static int journal_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = JOURNAL "/socket" };
	int s;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (mount("none", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	mkdir("/run/systemd", 0755);
	mkdir(JOURNAL, 0755);
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (s >= 0 && bind(s, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		close(s);
		return -1;
	}
	return s;
}

static bool has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
}

Test(log, the_journal_gets_fields)
{
	int s = journal_socket();
	char stream[64], got[4096];
	struct stat st;
	ssize_t n;

	if (s < 0)
		cr_skip_test("no mount namespace here");
	listen_to_stderr();
	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	ctl_log_open("lb");
	ctl_log(LOG_WARNING, "pair %s", "east");
	n = recv(s, got, sizeof(got) - 1, MSG_DONTWAIT);
	cr_assert_gt(n, 0);
	got[n] = '\0';
	cr_expect(has_line(got, "MESSAGE=pair east"), "%s", got);
	cr_expect(has_line(got, "PRIORITY=4"), "%s", got);
	cr_expect(has_line(got, "SYSLOG_IDENTIFIER=lb"), "%s", got);
	cr_expect_str_empty(heard());
	close(s);
}
