/*
 * sipsteerctl: asks sipsteerd over its control socket and prints the answer, for people or, with
 * --json, for programs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/ctl_client.h"
#include "control/ctl/ctl_commands.h"

#define DEFAULT_SOCKET "/run/sipsteer/control.sock"

enum { EXIT_DONE, EXIT_USAGE, EXIT_REFUSED };

struct options {
	const char *socket;
	bool json;
};

static void print_json(const json_t *value, size_t flags)
{
	json_dumpf(value, stdout, JSON_ENCODE_ANY | flags);
	putchar('\n');
}

/** An error object of JSON-RPC, with a configuration's errors one a line. */
static void print_error(const json_t *error)
{
	const json_t *errors = json_object_get(json_object_get(error, "data"), "errors");
	const char *message = json_string_value(json_object_get(error, "message"));
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)errors, i, e)
	{
		if (json_is_string(e))
			fprintf(stderr, "%s\n", json_string_value(e));
		else
			fprintf(stderr, "%s\n", json_string_value(json_object_get(e, "text")));
	}
	fprintf(stderr, "sipsteerctl: %s\n", message ? message : "refused");
}

/** Print notifications until the daemon goes or somebody interrupts. */
static int follow(struct ctl_client *client, const struct ctl_command *c, bool json)
{
	json_t *line;

	while ((line = ctl_client_recv(client))) {
		const json_t *event = json_object_get(line, "params");

		if (event && json) {
			print_json(event, JSON_COMPACT);
		} else if (event) {
			json_t *one = json_pack("[O]", event);

			ctl_command_print(stdout, c, one);
			json_decref(one);
		}
		fflush(stdout);
		json_decref(line);
	}
	fprintf(stderr, "sipsteerctl: sipsteerd has closed the connection\n");
	return EXIT_REFUSED;
}

/** The response to the one request that was sent; notifications before it are for follow(). */
static int answer(struct ctl_client *client, const struct ctl_command *c, bool json)
{
	json_t *line = ctl_client_recv(client);
	const json_t *error = json_object_get(line, "error"),
		     *result = json_object_get(line, "result");
	int status = EXIT_DONE;

	if (!line || (!error && !result)) {
		fprintf(stderr, "sipsteerctl: sipsteerd gave no answer; see its log\n");
		status = EXIT_REFUSED;
	} else if (error) {
		print_error(error);
		status = EXIT_REFUSED;
	} else if (!c->follow) {
		if (json)
			print_json(result, JSON_INDENT(2));
		else
			ctl_command_print(stdout, c, result);
	}
	json_decref(line);
	return status == EXIT_DONE && c->follow ? follow(client, c, json) : status;
}

/** Options in front of the command. @return index of the command, or -1 with the exit status in
 * *status. */
static int take_options(int argc, char **argv, struct options *o, int *status)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
		} else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc) {
			o->socket = argv[++i];
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			ctl_commands_usage(stdout);
			*status = EXIT_DONE;
			return -1;
		} else {
			fprintf(stderr,
				"sipsteerctl: no option '%s', or no value for it; --help lists "
				"them\n",
				argv[i]);
			*status = EXIT_USAGE;
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	struct options o = { .socket = getenv("SIPSTEER_SOCKET") };
	const struct ctl_command *c;
	struct ctl_client *client;
	json_t *params = NULL;
	char err[256];
	int status = EXIT_DONE, first, rc;

	signal(SIGPIPE, SIG_IGN);
	if (!o.socket)
		o.socket = DEFAULT_SOCKET;
	first = take_options(argc, argv, &o, &status);
	if (first < 0)
		return status;
	c = ctl_command_parse(argc - first, argv + first, &params, err);
	if (!c) {
		fprintf(stderr, "sipsteerctl: %s\n", err);
		return EXIT_USAGE;
	}
	client = ctl_client_new(o.socket, err);
	if (!client) {
		fprintf(stderr, "sipsteerctl: %s\n", err);
		json_decref(params);
		return EXIT_REFUSED;
	}
	rc = ctl_client_send(client, c->method, params);
	if (rc) {
		fprintf(stderr, "sipsteerctl: %s: %s\n", o.socket, strerror(-rc));
		status = EXIT_REFUSED;
	} else {
		status = answer(client, c, o.json);
	}
	ctl_client_free(client);
	return status;
}
