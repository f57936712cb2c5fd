/*
 * Leaks fail the test that made them, in builds with LeakSanitizer; elsewhere this does nothing.
 */
#pragma once

#include <stdlib.h>

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/** For .fini of a suite. */
static inline void leaks_check(void)
{
	/* Criterion forgets an assertion that fails after the test; a crash it does not. */
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
		abort();
}
