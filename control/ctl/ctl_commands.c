/*
 * sipsteerctl's commands.
 */
#include "control/ctl/ctl_commands.h"

#include <stdlib.h>
#include <string.h>

#define ERR_SIZE 256

static const struct ctl_column pair_columns[] = { { "name", "PAIR" },
						  { "state", "STATE" },
						  { "active", "ACTIVE" },
						  { "pinned", "PINNED" },
						  { NULL, NULL } };

static const struct ctl_column member_columns[] = { { "pair", "PAIR" },
						    { "name", "MEMBER" },
						    { "role", "ROLE" },
						    { "state", "STATE" },
						    { "address", "ADDRESS" },
						    { "port", "PORT" },
						    { "transport", "TRANSPORT" },
						    { "last_rtt_us", "RTT [us]" },
						    { "last_change", "LAST CHANGE" },
						    { NULL, NULL } };

static const struct ctl_column service_columns[] = { { "name", "SERVICE" },
						     { "select", "SELECT" },
						     { "listen", "LISTENERS" },
						     { "pairs", "PAIRS" },
						     { NULL, NULL } };

static const struct ctl_column event_columns[] = {
	{ "time", "TIME" },     { "pair", "PAIR" },
	{ "member", "MEMBER" }, { "from", "FROM" },
	{ "to", "TO" },         { "cause", "CAUSE" },
	{ "who", "WHO" },       { "evidence", "EVIDENCE" },
	{ NULL, NULL }
};

const struct ctl_command ctl_commands[] = {
	{ "pair", "list", "pair.list", .columns = pair_columns,
	  .help = "all pairs: state and active member" },
	{ "pair", "show", "pair.show", "name", true,
	  .help = "one pair with its members and recent events" },
	{ "pair", "switch", "pair.switch", "name", true, "--to MEMBER",
	  "make another member the active one", .done = "switched" },
	{ "pair", "pin", "pair.pin", "name", true,
	  .help = "keep the active member whatever its state", .done = "pinned" },
	{ "pair", "unpin", "pair.unpin", "name", true, .help = "let the machine decide again",
	  .done = "unpinned" },
	{ "member", "list", "member.list", .columns = member_columns,
	  .help = "all members: address, state, round trip" },
	{ "member", "drain", "member.drain", "name", true,
	  .help = "its dialogs stay, new ones go to its twin", .done = "draining" },
	{ "member", "disable", "member.disable", "name", true, .help = "send it nothing",
	  .done = "disabled" },
	{ "member", "enable", "member.enable", "name", true, .help = "undo drain and disable",
	  .done = "enabled" },
	{ "service", "list", "service.list", .columns = service_columns,
	  .help = "all services: listeners, rule, pairs" },
	{ "stats", "show", "stats.show", .print = ctl_print_stats,
	  .help = "counters: workers, ports, drop reasons, members" },
	{ "event", "list", "event.list", NULL, false, "--pair PAIR",
	  "transitions with cause and evidence", .columns = event_columns },
	{ "event", "follow", "event.follow", NULL, false, "--pair PAIR",
	  "transitions as they happen", .columns = event_columns, .follow = true },
	{ "net", "show", "net.show",
	  .help = "addresses, routes and neighbours as the fast path sees them" },
	{ "reload", NULL, "reload", .help = "read the configuration again: all of it or nothing",
	  .done = "reloaded" },
	{ "shutdown", NULL, "shutdown", .help = "end both processes", .done = "shut down" },
	{ "version", NULL, "version", .help = "versions of both processes" },
	{ 0 },
};

void ctl_commands_usage(FILE *out)
{
	fprintf(out,
		"usage: sipsteerctl [--socket PATH] [--json] NOUN [VERB] [NAME] [OPTIONS]\n\n");
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		char left[96];

		snprintf(left, sizeof(left), "%s%s%s%s%s%s%s%s", c->noun, c->verb ? " " : "",
			 c->verb ? c->verb : "", c->operand ? " NAME" : "", c->option ? " [" : "",
			 c->option ? c->option : "", c->option ? "]" : "", "");
		fprintf(out, "  %-36s %s\n", left, c->help);
	}
	fprintf(out,
		"\n  --socket PATH   control socket (default: $SIPSTEER_SOCKET, else "
		"/run/sipsteer/control.sock)\n"
		"  --json          the answer as JSON, for programs\n"
		"\nexit status: 0 done, 1 wrong usage, 2 refused by sipsteerd or not reachable\n");
}

static const struct ctl_command *find(const char *noun, const char *verb, char *err)
{
	bool noun_known = false;

	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		if (strcmp(c->noun, noun) != 0)
			continue;
		noun_known = true;
		if (!c->verb || (verb && strcmp(c->verb, verb) == 0))
			return c;
	}
	if (!noun_known)
		snprintf(err, ERR_SIZE, "no command '%.60s'; --help lists them", noun);
	else if (!verb)
		snprintf(err, ERR_SIZE, "'%.60s' needs a verb; --help lists them", noun);
	else
		snprintf(err, ERR_SIZE, "no command '%.60s %.60s'; --help lists them", noun, verb);
	return NULL;
}

/** "--to MEMBER" of the row against "--to" of the command line: the parameter's name. */
static bool option_is(const struct ctl_command *c, const char *arg, char *param)
{
	size_t len = c->option ? strcspn(c->option, " ") : 0;

	if (len == 0 || strlen(arg) != len || strncmp(arg, c->option, len) != 0)
		return false;
	snprintf(param, 32, "%.*s", (int)len - 2, c->option + 2);
	return true;
}

static int take_arguments(const struct ctl_command *c, int argc, char **argv, json_t *params,
			  char *err)
{
	char param[32];

	for (int i = 0; i < argc; i++) {
		if (option_is(c, argv[i], param)) {
			if (++i == argc) {
				snprintf(err, ERR_SIZE, "%.60s needs a value: %s", argv[i - 1],
					 c->option);
				return -1;
			}
			json_object_set_new(params, param, json_string(argv[i]));
		} else if (argv[i][0] == '-') {
			snprintf(err, ERR_SIZE, "no option '%.60s' here; --help lists them",
				 argv[i]);
			return -1;
		} else if (!c->operand || json_object_get(params, c->operand)) {
			snprintf(err, ERR_SIZE, "'%.60s' is one argument too many", argv[i]);
			return -1;
		} else {
			json_object_set_new(params, c->operand, json_string(argv[i]));
		}
	}
	if (c->operand_required && !json_object_get(params, c->operand)) {
		snprintf(err, ERR_SIZE, "'%s %s' needs a name", c->noun, c->verb);
		return -1;
	}
	return 0;
}

const struct ctl_command *ctl_command_parse(int argc, char **argv, json_t **params, char *err)
{
	const struct ctl_command *c;
	int words;

	if (argc < 1) {
		snprintf(err, ERR_SIZE, "what to do? --help lists the commands");
		return NULL;
	}
	c = find(argv[0], argc > 1 ? argv[1] : NULL, err);
	if (!c)
		return NULL;
	words = c->verb ? 2 : 1;
	*params = json_object();
	if (take_arguments(c, argc - words, argv + words, *params, err) != 0) {
		json_decref(*params);
		*params = NULL;
		return NULL;
	}
	return c;
}

void ctl_command_print(FILE *out, const struct ctl_command *c, const json_t *result)
{
	if (c->done)
		fprintf(out, "%s\n", c->done);
	else if (c->print)
		c->print(out, result);
	else if (c->columns && json_is_array(result))
		ctl_table_print(out, result, c->columns);
	else
		ctl_value_print(out, NULL, result);
}
