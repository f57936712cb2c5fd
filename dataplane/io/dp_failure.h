/*
 * Why the data plane cannot start, in one plain sentence that names the thing, its value and what
 * to do. Filled by the first step that fails; main prints it and puts it into the region.
 */
#pragma once

struct dp_failure {
	char text[512]; /* "" : nothing has failed */
};

/** Say why, printf-like; an earlier sentence stays. @return -1, for `return dp_fail(...)`. */
int dp_fail(struct dp_failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
