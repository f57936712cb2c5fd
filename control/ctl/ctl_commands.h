/*
 * sipsteerctl's commands: one table row each, from which parsing, help and printing come.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/ctl/ctl_table.h"

/** A command: NOUN [VERB] [NAME] [OPTIONS]. */
struct ctl_command {
	const char *noun;
	const char *verb;   /* NULL: the noun is the command */
	const char *method; /* of the RPC */
	const char
		*operand; /* name of the parameter that a plain argument fills, NULL: takes none */
	bool operand_required;
	const char *option; /* "--to MEMBER": fills the parameter "to"; NULL: none */
	const char *help;
	const struct ctl_column *columns; /* of an array result; NULL: ctl_value_print() */
	void (*print)(FILE *out, const json_t *result); /* NULL: columns, or ctl_value_print() */
	const char *done; /* printed when the result says nothing; NULL: print the result */
	bool follow;      /* notifications come until interrupted */
};

extern const struct ctl_command ctl_commands[]; /* ends with a NULL noun */

/**
 * Find the command and make its parameters.
 * @param params  Out: owned by the caller.
 * @param err     At least 256 bytes: what is wrong with the usage.
 * @return NULL with err.
 */
const struct ctl_command *ctl_command_parse(int argc, char **argv, json_t **params, char *err);

void ctl_commands_usage(FILE *out);

/** `stats show`. */
void ctl_print_stats(FILE *out, const json_t *stats);

/** Print a result for people. */
void ctl_command_print(FILE *out, const struct ctl_command *c, const json_t *result);
