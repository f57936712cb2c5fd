/*
 * sipsteerctl's commands: one table row each, from which parsing, help and printing come.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/ctl/ctl_table.h"

/** An option of a command. */
struct ctl_option {
	const char *name;  /* "--to" */
	const char *value; /* "MEMBER", for help; NULL: the option takes none */
	const char *param; /* parameter that it fills; NULL: it is about printing (`all`) */
	bool number;       /* the parameter is an integer */
};

#define CTL_OPTIONS 2

struct ctl_view;

/** A command: NOUN [VERB] [NAME] [OPTIONS]. */
struct ctl_command {
	const char *noun;
	const char *verb;    /* NULL: the noun is the command */
	const char *method;  /* of the RPC */
	const char *operand; /* "NAME": a plain argument, which fills the parameter "name"; NULL:
				none */
	struct ctl_option options[CTL_OPTIONS]; /* up to the first without a name */
	const char *help;
	const struct ctl_column *columns; /* of an array result */
	void (*print)(FILE *out, const json_t *result,
		      const struct ctl_view *v); /* NULL: columns, or
						    ctl_value_print() */
	const char *done; /* printed when the result says nothing; NULL: print the result */
	bool follow;      /* notifications come until interrupted, printed by `print` */
};

/** How an answer is to be printed. */
struct ctl_view {
	const char *noun, *verb;
	const char *name; /* the operand, NULL: none */
	bool all;         /* also what is zero */
};

/** A command line, taken apart. */
struct ctl_request {
	const struct ctl_command *command; /* NULL: --help or --version was asked for */
	json_t *params;                    /* owned by the caller */
	const char *socket;                /* NULL: not given */
	bool json, help, version;
	struct ctl_view view;
};

extern const struct ctl_command ctl_commands[]; /* ends with a NULL noun */

#define CTL_USAGE_SIZE 256

/**
 * Take a command line apart, without the program's name. Options may stand anywhere.
 * @param err  CTL_USAGE_SIZE bytes: what is wrong with it, and what would be right.
 * @return 0, or -EINVAL with err.
 */
int ctl_request_parse(struct ctl_request *r, int argc, char **argv, char *err);

/** The list of all commands and options. */
void ctl_commands_usage(FILE *out);

/** Print a result for people. */
void ctl_command_print(FILE *out, const struct ctl_command *c, const json_t *result,
		       const struct ctl_view *v);

/* Printers of single commands (ctl_print.c, ctl_print_stats.c). */
void ctl_print_stats(FILE *out, const json_t *stats, const struct ctl_view *v);
void ctl_print_pair(FILE *out, const json_t *pair, const struct ctl_view *v);
void ctl_print_reload(FILE *out, const json_t *result, const struct ctl_view *v);
void ctl_print_version(FILE *out, const json_t *version, const struct ctl_view *v);
void ctl_print_dns(FILE *out, const json_t *dns, const struct ctl_view *v);
void ctl_print_net(FILE *out, const json_t *net, const struct ctl_view *v);

/** One event, on a line of its own. */
void ctl_print_event(FILE *out, const json_t *event, const struct ctl_view *v);

/** An error object of a response: a configuration's errors one a line, then the sentence. */
void ctl_print_error(FILE *out, const json_t *error);
