/*
 * Where a message goes is decided once, by ctl_log_open(). Any thread; the state is three atomics,
 * read without order, since a message that still uses the old level or program does no harm.
 */
#include "control/base/ctl_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_SIZE 4096 /* bytes of one message; a longer one is cut */

/* The one state of logging: who we are, how much, and where to. Written at start and by a reload,
 * read by any thread. */
static _Atomic int max_level = LOG_INFO;
static const char *_Atomic program_name = "sipsteer";
static _Atomic bool to_journal;

void ctl_log_level(int level)
{
	atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

/* Whether stderr is the journal's stream: JOURNAL_STREAM holds its device and inode ("8:1234"),
 * systemd.exec(5). A daemon whose stderr was redirected keeps the variable, so it alone says
 * nothing. */
static bool stderr_is_journal(void)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char rest;

	if (!stream || sscanf(stream, "%llu:%llu%c", &dev, &ino, &rest) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void ctl_log_open(const char *program)
{
	atomic_store_explicit(&program_name, program, memory_order_relaxed);
	atomic_store_explicit(&to_journal, stderr_is_journal(), memory_order_relaxed);
}

static const char *level_name(int level)
{
	static const char *const names[] = { "emergency", "alert",  "critical", "error",
					     "warning",   "notice", "info",     "debug" };

	return level >= LOG_EMERG && level <= LOG_DEBUG ? names[level] : "info";
}

/* One log line is one line: what came from outside must not forge a second one. */
static void make_one_line(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
	}
}

void ctl_log(int level, const char *format, ...)
{
	const char *program = atomic_load_explicit(&program_name, memory_order_relaxed);
	char text[LINE_SIZE];
	va_list ap;

	if (level > atomic_load_explicit(&max_level, memory_order_relaxed))
		return;
	va_start(ap, format);
	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		strcpy(text, "(a message that could not be formatted)");
	va_end(ap);
	make_one_line(text);
	if (atomic_load_explicit(&to_journal, memory_order_relaxed)
	    && sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level, "SYSLOG_IDENTIFIER=%s",
			       program, NULL)
		       >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", program, level_name(level), text);
}
