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

static void print_json(const json_t *value, size_t flags)
{
	json_dumpf(value, stdout, JSON_ENCODE_ANY | flags);
	putchar('\n');
}

/* Print notifications until the daemon goes or somebody interrupts. */
static int follow(struct ctl_client *client, const struct ctl_request *r)
{
	json_t *line;

	while ((line = ctl_client_recv(client)) != NULL) {
		const json_t *params = json_object_get(line, "params");

		if (params && r->json)
			print_json(params, JSON_COMPACT);
		else if (params)
			ctl_command_print(stdout, r->command, params, &r->view);
		json_decref(line);
		if (fflush(stdout) != 0)
			return EXIT_DONE; /* nobody reads any more */
	}
	fputs("sipsteerctl: sipsteerd has closed the connection\n", stderr);
	return EXIT_REFUSED;
}

/* The response to the one request that was sent. */
static int answer(struct ctl_client *client, const struct ctl_request *r)
{
	json_t *line = ctl_client_recv(client);
	const json_t *error = json_object_get(line, "error");
	const json_t *result = json_object_get(line, "result");
	int status = EXIT_DONE;

	if (error) {
		ctl_print_error(stderr, error);
		status = EXIT_REFUSED;
	} else if (!result) {
		fputs("sipsteerctl: sipsteerd gave no answer; see its log\n", stderr);
		status = EXIT_REFUSED;
	} else if (r->json && !r->command->follow) {
		print_json(result, JSON_INDENT(2));
	} else if (!r->command->follow) {
		ctl_command_print(stdout, r->command, result, &r->view);
	}
	json_decref(line);
	return status == EXIT_DONE && r->command->follow ? follow(client, r) : status;
}

/* Takes r->params. */
static int ask(struct ctl_request *r, const char *socket)
{
	char err[CTL_USAGE_SIZE];
	struct ctl_client *client = ctl_client_new(socket, err);
	int status, ret;

	if (!client) {
		fprintf(stderr, "sipsteerctl: %s\n", err);
		json_decref(r->params);
		return EXIT_REFUSED;
	}
	ret = ctl_client_send(client, r->command->method, r->params);
	if (ret < 0) {
		fprintf(stderr, "sipsteerctl: %s: %s\n", socket, strerror(-ret));
		status = EXIT_REFUSED;
	} else {
		status = answer(client, r);
	}
	ctl_client_free(client);
	return status;
}

int main(int argc, char **argv)
{
	const char *socket = getenv("SIPSTEER_SOCKET");
	struct ctl_request r;
	char err[CTL_USAGE_SIZE];

	signal(SIGPIPE, SIG_IGN);
	if (ctl_request_parse(&r, argc - 1, argv + 1, err) < 0) {
		fprintf(stderr, "sipsteerctl: %s\n", err);
		return EXIT_USAGE;
	}
	if (r.help)
		ctl_commands_usage(stdout);
	if (r.version)
		puts("sipsteerctl " SIPSTEER_VERSION);
	if (!r.command)
		return EXIT_DONE;
	if (r.socket)
		socket = r.socket;
	return ask(&r, socket && socket[0] ? socket : DEFAULT_SOCKET);
}
