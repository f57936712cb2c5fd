/*
 * Configuration files: YAML text to a checked model, or every error with its line. Control thread;
 * also the --check-config run.
 *
 * The rows of ctl_schema.c say what each key may be; ctl_read.c reads by them; ctl_check_*.c knows
 * what values must not be together. docs/CONFIGURATION.md is the reference.
 */
#pragma once

#include <stdio.h>

#include "control/config/ctl_model.h"

/** One thing that is wrong or unwise. */
struct ctl_diag_entry {
	unsigned int line; /* 1 and up; 0: the file as a whole */
	bool error;        /* else a warning */
	char *text;        /* "what, and what would be right" */
};

/** All of them, in the order of the file's lines. */
struct ctl_diag {
	size_t n, room;
	struct ctl_diag_entry *e;
	size_t n_errors; /* also those that are not kept */
	size_t n_lost;   /* not kept: too many, or out of memory */
};

void ctl_diag_init(struct ctl_diag *d);
void ctl_diag_fini(struct ctl_diag *d);

/** Add an entry, printf-like, unless the same one is there. At most 1,024 are kept, the rest is
 * counted. What there is no memory for counts as an error. */
void ctl_diag_add(struct ctl_diag *d, bool error, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** Print as "FILE:LINE: text" or "FILE:LINE: warning: text", one a line. */
void ctl_diag_print(const struct ctl_diag *d, const char *file, FILE *out);

/**
 * Load and check a file whole.
 * @return the model (ctl_model_free()), or NULL when d->n_errors is not 0.
 */
struct ctl_model *ctl_config_load(const char *path, struct ctl_diag *d);

/** The same for text in memory; name is what messages and model->path say. */
struct ctl_model *ctl_config_load_text(const char *name, const char *text, size_t len,
				       struct ctl_diag *d);

/**
 * What may not change while the data plane runs (workers, ports' devices, memory, record tables,
 * the control socket): adds an error for each such difference.
 * @return 0, or -EBUSY when there is one.
 */
int ctl_model_check_reload(const struct ctl_model *old, const struct ctl_model *new,
			   struct ctl_diag *d);
