/*
 * What the configuration's tests share: an example to vary, and loading that shows what went wrong.
 */
#pragma once

#include "control/config/ctl_config.h"
#include "tests/leaks.h"

/** A whole, correct file: a port, a service, a pair of two. */
extern const char config_example[];

/** Load what must be right, without a warning; fails the test with the messages otherwise. */
struct ctl_model *config_good(const char *text);

/** Load text; the messages, as ctl_diag_print() prints them, go to `said`. */
struct ctl_model *config_try(const char *text, char *said, size_t size);

/** The example with the first occurrence of `what` replaced; free() it. Fails if it is not there.
 */
char *config_vary(const char *what, const char *with);
