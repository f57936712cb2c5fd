/*
 * The known name that a mistyped one most likely means. Pure; any thread.
 */
#pragma once

#include <stddef.h>

/**
 * @param name_of  The i-th of n known names.
 * @return         Index of the nearest one by optimal string alignment (a swap of neighbours is one
 *                 edit; case and '_' for '-' cost nothing), or -1 when none is near enough to mean:
 *                 at most one edit for each three letters, three at most.
 */
int ctl_nearest(const char *word, size_t len, size_t n,
		const char *(*name_of)(const void *arg, size_t i), const void *arg);
