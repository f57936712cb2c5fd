/*
 * sipsteerctl's table of commands, and the command line by it.
 */
#include "control/ctl/ctl_commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct ctl_column pair_columns[] = {
	{ "name", "PAIR" },     { "state", "STATE" }, { "active", "ACTIVE" },
	{ "pinned", "PINNED" }, { "since", "SINCE" }, { NULL, NULL },
};

static const struct ctl_column member_columns[] = {
	{ "pair", "PAIR" },
	{ "name", "MEMBER" },
	{ "role", "ROLE" },
	{ "active", "ACTIVE" },
	{ "state", "STATE" },
	{ "address", "ADDRESS" },
	{ "port", "PORT" },
	{ "transport", "TRANSPORT" },
	{ "last_rtt_us", "RTT [us]" },
	{ "last_change", "LAST CHANGE" },
	{ NULL, NULL },
};

static const struct ctl_column service_columns[] = {
	{ "name", "SERVICE" }, { "select", "SELECT" }, { "listen", "LISTENERS" },
	{ "pairs", "PAIRS" },  { NULL, NULL },
};

static const struct ctl_column event_columns[] = {
	{ "time", "TIME" },     { "pair", "PAIR" },
	{ "member", "MEMBER" }, { "from", "FROM" },
	{ "to", "TO" },         { "cause", "CAUSE" },
	{ "who", "WHO" },       { "evidence", "EVIDENCE" },
	{ NULL, NULL },
};

#define OF_PAIR                                 \
	{                                       \
		"--pair", "PAIR", "pair", false \
	}
#define NAME .operand = "NAME"

const struct ctl_command ctl_commands[] = {
	{ "pair", "list", "pair.list", .columns = pair_columns,
	  .help = "all pairs: state and active member" },
	{ "pair", "show", "pair.show", NAME, .print = ctl_print_pair,
	  .help = "one pair with its members and latest events" },
	{ "pair", "switch", "pair.switch", NAME, .options = { { "--to", "MEMBER", "to", false } },
	  .help = "make another member active", .done = "switched" },
	{ "pair", "pin", "pair.pin", NAME, .done = "pinned",
	  .help = "keep the active member whatever its state" },
	{ "pair", "unpin", "pair.unpin", NAME, .done = "unpinned",
	  .help = "let the machine decide again" },
	{ "member", "list", "member.list", .options = { OF_PAIR }, .columns = member_columns,
	  .help = "all members: address, state, round trip" },
	{ "member", "drain", "member.drain", NAME, .done = "draining",
	  .help = "its dialogs stay, new ones go elsewhere" },
	{ "member", "disable", "member.disable", NAME, .done = "disabled",
	  .help = "send it nothing" },
	{ "member", "enable", "member.enable", NAME, .done = "enabled",
	  .help = "undo drain and disable" },
	{ "service", "list", "service.list", .columns = service_columns,
	  .help = "all services: listeners, rule, pairs" },
	{ "stats", "show", "stats.show", .options = { { "--all", NULL, NULL, false } },
	  .print = ctl_print_stats,
	  .help = "counters since the start: workers, ports, members, drops" },
	{ "event", "list", "event.list", .options = { OF_PAIR, { "--limit", "N", "limit", true } },
	  .columns = event_columns, .help = "what happened, with cause and evidence" },
	{ "event", "follow", "event.follow", .options = { OF_PAIR }, .print = ctl_print_event,
	  .follow = true, .help = "what happens, as it happens" },
	{ "net", "show", "net.show", .print = ctl_print_net,
	  .help = "addresses, routes and neighbours as the fast path sees them" },
	{ "dns", "show", "dns.show", .options = { { "--name", "NAME", "name", false } },
	  .print = ctl_print_dns, .help = "names of servers: what DNS says, since when, how long" },
	{ "dns", "refresh", "dns.refresh", NAME, .print = ctl_print_dns,
	  .help = "look a name up now, whatever its TTL" },
	{ "reload", NULL, "reload", .print = ctl_print_reload,
	  .help = "read the configuration again: all of it or nothing" },
	{ "shutdown", NULL, "shutdown", .done = "sipsteerd and the data plane have ended",
	  .help = "end sipsteerd and the data plane" },
	{ "version", NULL, "version", .print = ctl_print_version,
	  .help = "versions and processes" },
	{ 0 },
};

/* ---- Help */

static void say_command(const struct ctl_command *c, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s%s%s%s%s", c->noun, c->verb ? " " : "",
				    c->verb ? c->verb : "", c->operand ? " " : "",
				    c->operand ? c->operand : "");

	for (size_t i = 0; i < CTL_OPTIONS && c->options[i].name && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, " [%s%s%s]", c->options[i].name,
				      c->options[i].value ? " " : "",
				      c->options[i].value ? c->options[i].value : "");
}

void ctl_commands_usage(FILE *out)
{
	fputs("Usage: sipsteerctl [--socket PATH] [--json] NOUN VERB [NAME] [OPTION]...\n\n", out);
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		char left[96];

		say_command(c, left, sizeof(left));
		fprintf(out, "  %-37s %s\n", left, c->help);
	}
	fputs("\n"
	      "  --socket PATH  control socket (default: $SIPSTEER_SOCKET, else\n"
	      "                 /run/sipsteer/control.sock)\n"
	      "  --json         the answer as JSON, for programs\n"
	      "  --version, --help\n"
	      "\n"
	      "A member's NAME is \"member\", or \"pair/member\" where names repeat.\n"
	      "Exit status: 0 done, 1 wrong usage, 2 refused by sipsteerd or not reachable.\n",
	      out);
}

/* ---- The command line */

static int wrong(char *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(char *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(err, CTL_USAGE_SIZE, format, ap);
	va_end(ap);
	return -EINVAL;
}

/* What the verbs of a noun are: "list, show". @return whether there are any. */
static bool verbs_of(const char *noun, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		if (c->verb && strcmp(c->noun, noun) == 0 && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", c->verb);
	}
	return n > 0;
}

static int find(struct ctl_request *r, char **words, int n, char *err)
{
	char verbs[128];

	if (n == 0)
		return wrong(err, "what to do? --help lists the commands");
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		if (strcmp(c->noun, words[0]) == 0
		    && (!c->verb || (n > 1 && strcmp(c->verb, words[1]) == 0))) {
			r->command = c;
			return 0;
		}
	}
	if (!verbs_of(words[0], verbs, sizeof(verbs)))
		return wrong(err, "no command '%.60s'; --help lists them", words[0]);
	if (n == 1)
		return wrong(err, "'%.60s' needs a verb: %s", words[0], verbs);
	return wrong(err, "no command '%.60s %.60s'; the verbs of '%.60s' are: %s", words[0],
		     words[1], words[0], verbs);
}

static int take_operand(struct ctl_request *r, char **words, int n, char *err)
{
	const struct ctl_command *c = r->command;
	int own = c->verb ? 2 : 1;
	char usage[96];

	say_command(c, usage, sizeof(usage));
	if (c->operand && n == own)
		return wrong(err, "a name is missing: %s", usage);
	if (n > own + (c->operand ? 1 : 0))
		return wrong(err, "'%.60s' is one argument too many: %s",
			     words[own + (c->operand ? 1 : 0)], usage);
	if (!c->operand)
		return 0;
	r->view.name = words[own];
	return json_object_set_new(r->params, "name", json_string(words[own]))
		       ? wrong(err, "the name is no UTF-8 text")
		       : 0;
}

static const struct ctl_option *find_option(const struct ctl_command *c, const char *name)
{
	for (size_t i = 0; i < CTL_OPTIONS && c->options[i].name; i++) {
		if (strcmp(c->options[i].name, name) == 0)
			return &c->options[i];
	}
	return NULL;
}

static int fill(struct ctl_request *r, const struct ctl_option *o, const char *value, char *err)
{
	char *end;
	long long n;

	if (!o->param) {
		r->view.all = true;
		return 0;
	}
	if (!o->number)
		return json_object_set_new(r->params, o->param, json_string(value))
			       ? wrong(err, "the value of %s is no UTF-8 text", o->name)
			       : 0;
	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno || *end || end == value || n < 0)
		return wrong(err, "%s needs a number, not '%.60s'", o->name, value);
	json_object_set_new(r->params, o->param, json_integer(n));
	return 0;
}

/* An option and its value, as "--to X" or "--to=X". */
struct given {
	char name[32];
	const char *value; /* NULL: none */
};

#define GIVEN_MAX 16

static int take_options(struct ctl_request *r, const struct given *given, size_t n, char *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct ctl_option *o = find_option(r->command, given[i].name);
		int ret;

		if (!o)
			return wrong(err, "'%s%s%s' has no option %s; --help lists them",
				     r->command->noun, r->command->verb ? " " : "",
				     r->command->verb ? r->command->verb : "", given[i].name);
		if (!o->value && given[i].value)
			return wrong(err, "%s takes no value", o->name);
		ret = fill(r, o, given[i].value, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Whether an option of any command takes a value: needed before the command is known. */
static bool takes_value(const char *name)
{
	if (strcmp(name, "--socket") == 0)
		return true;
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		const struct ctl_option *o = find_option(c, name);

		if (o)
			return o->value != NULL;
	}
	return false;
}

/* @return whether it is one of the options that every command has. */
static bool take_global(struct ctl_request *r, const struct given *g)
{
	if (strcmp(g->name, "--socket") == 0)
		r->socket = g->value;
	else if (strcmp(g->name, "--json") == 0)
		r->json = true;
	else if (strcmp(g->name, "--help") == 0 || strcmp(g->name, "-h") == 0)
		r->help = true;
	else if (strcmp(g->name, "--version") == 0)
		r->version = true;
	else
		return false;
	return true;
}

/* One option from argv[*i]; *i moves on when the value is a word of its own. */
static int split(struct given *g, int argc, char **argv, int *i, char *err)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

	if (len >= sizeof(g->name))
		return wrong(err, "no option '%.60s'; --help lists them", arg);
	memcpy(g->name, arg, len);
	g->name[len] = '\0';
	g->value = equals ? equals + 1 : NULL;
	if (g->value || !takes_value(g->name))
		return 0;
	if (*i + 1 == argc)
		return wrong(err, "%s needs a value", g->name);
	g->value = argv[++*i];
	return 0;
}

int ctl_request_parse(struct ctl_request *r, int argc, char **argv, char *err)
{
	struct given given[GIVEN_MAX];
	char *words[4];
	size_t n_given = 0;
	int n_words = 0, ret = 0;

	memset(r, 0, sizeof(*r));
	for (int i = 0; i < argc && ret == 0; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			ret = split(&given[n_given], argc, argv, &i, err);
			if (ret == 0 && !take_global(r, &given[n_given]) && ++n_given == GIVEN_MAX)
				ret = wrong(err, "too many options");
		} else if (n_words < 4) {
			words[n_words++] = argv[i];
		}
	}
	if (ret || r->help || r->version)
		return ret;
	r->params = json_object();
	ret = find(r, words, n_words, err);
	if (ret == 0)
		ret = take_operand(r, words, n_words, err);
	if (ret == 0)
		ret = take_options(r, given, n_given, err);
	if (ret) {
		json_decref(r->params);
		r->params = NULL;
		return ret;
	}
	r->view.noun = r->command->noun;
	r->view.verb = r->command->verb;
	return 0;
}

void ctl_command_print(FILE *out, const struct ctl_command *c, const json_t *result,
		       const struct ctl_view *v)
{
	if (c->done)
		fprintf(out, "%s%s%s\n", v->name ? v->name : "", v->name ? ": " : "", c->done);
	else if (c->print)
		c->print(out, result, v);
	else if (c->columns && json_is_array(result))
		ctl_table_print(out, result, c->columns);
	else
		ctl_value_print(out, NULL, result);
}
