/*
 * Leaks fail the test that made them, in builds with LeakSanitizer; elsewhere this does nothing.
 */
#pragma once

#include <criterion/criterion.h>

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/** For .fini of a suite. */
static inline void leaks_check(void)
{
	if (__lsan_do_recoverable_leak_check)
		cr_assert(__lsan_do_recoverable_leak_check() == 0, "the test leaked memory");
}
