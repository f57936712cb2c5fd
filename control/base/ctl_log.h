/*
 * Logging: to journald when stderr is the journal (JOURNAL_STREAM), else to stderr, one line each,
 * with syslog levels. Any thread. Never called per packet.
 */
#pragma once

#include <syslog.h>

/** Messages above this level (LOG_ERR .. LOG_DEBUG) are left out. Default LOG_INFO. */
void ctl_log_level(int level);

/** @param program  Name in front of each line; static. */
void ctl_log_open(const char *program);

void ctl_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
