/* sipsteerctl: its command line, what it prints, and the program itself against a real RPC server.
 */
#include "control/ctl/ctl_commands.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/rpc/ctl_rpc.h"
#include "control/rpc/ctl_rpc_listen.h"

#define WORDS 10

static int count(char *const *words)
{
	int n = 0;

	while (n < WORDS && words[n])
		n++;
	return n;
}

Test(ctl, command_lines_become_requests)
{
	static const struct {
		const char *words[WORDS];
		const char *method, *params;
		bool json, all;
		const char *socket;
	} rows[] = {
		{ { "pair", "list" }, "pair.list", "{}", false, false, NULL },
		{ { "--json", "pair", "list" }, "pair.list", "{}", true, false, NULL },
		{ { "pair", "list", "--json" }, "pair.list", "{}", true, false, NULL },
		{ { "--socket", "/x", "pair", "list" }, "pair.list", "{}", false, false, "/x" },
		{ { "pair", "--socket=/x", "list" }, "pair.list", "{}", false, false, "/x" },
		{ { "pair", "show", "east" },
		  "pair.show",
		  "{\"name\":\"east\"}",
		  false,
		  false,
		  NULL },
		{ { "pair", "switch", "east", "--to", "b" },
		  "pair.switch",
		  "{\"name\":\"east\",\"to\":\"b\"}",
		  false,
		  false,
		  NULL },
		{ { "pair", "switch", "--to=b", "east" },
		  "pair.switch",
		  "{\"name\":\"east\",\"to\":\"b\"}",
		  false,
		  false,
		  NULL },
		{ { "member", "drain", "east/a" },
		  "member.drain",
		  "{\"name\":\"east/a\"}",
		  false,
		  false,
		  NULL },
		{ { "event", "list", "--limit", "5", "--pair", "east" },
		  "event.list",
		  "{\"limit\":5,\"pair\":\"east\"}",
		  false,
		  false,
		  NULL },
		{ { "stats", "show", "--all" }, "stats.show", "{}", false, true, NULL },
		{ { "dns", "show" }, "dns.show", "{}", false, false, NULL },
		{ { "dns", "show", "--name", "sip.x" },
		  "dns.show",
		  "{\"name\":\"sip.x\"}",
		  false,
		  false,
		  NULL },
		{ { "dns", "refresh", "sip.x" },
		  "dns.refresh",
		  "{\"name\":\"sip.x\"}",
		  false,
		  false,
		  NULL },
		{ { "reload" }, "reload", "{}", false, false, NULL },
		{ { "version" }, "version", "{}", false, false, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *const *words = (char *const *)rows[i].words;
		struct ctl_request r;
		char err[CTL_USAGE_SIZE] = "", *params;

		cr_assert_eq(ctl_request_parse(&r, count(words), (char **)words, err), 0,
			     "row %zu: %s", i, err);
		params = json_dumps(r.params, JSON_COMPACT | JSON_SORT_KEYS);
		cr_expect_str_eq(r.command->method, rows[i].method, "row %zu", i);
		cr_expect_str_eq(params, rows[i].params, "row %zu: %s", i, params);
		cr_expect_eq(r.json, rows[i].json, "row %zu", i);
		cr_expect_eq(r.view.all, rows[i].all, "row %zu", i);
		cr_expect_str_eq(r.socket ? r.socket : "", rows[i].socket ? rows[i].socket : "",
				 "row %zu", i);
		free(params);
		json_decref(r.params);
	}
}

Test(ctl, wrong_usage_says_what_would_be_right)
{
	static const struct {
		const char *words[WORDS];
		const char *says;
	} rows[] = {
		{ { NULL }, "--help" },
		{ { "nope" }, "no command 'nope'" },
		{ { "pair" }, "needs a verb: list, show, switch" },
		{ { "pair", "nope" }, "the verbs of 'pair' are: list" },
		{ { "pair", "show" }, "a name is missing: pair show NAME" },
		{ { "pair", "switch" }, "pair switch NAME [--to MEMBER]" },
		{ { "pair", "show", "a", "b" }, "'b' is one argument too many" },
		{ { "pair", "list", "a" }, "'a' is one argument too many" },
		{ { "reload", "now" }, "'now' is one argument too many" },
		{ { "pair", "list", "--to", "b" }, "'pair list' has no option --to" },
		{ { "pair", "switch", "a", "--to" }, "--to needs a value" },
		{ { "--socket" }, "--socket needs a value" },
		{ { "stats", "show", "--all=yes" }, "--all takes no value" },
		{ { "event", "list", "--limit", "many" }, "needs a number, not 'many'" },
		{ { "event", "list", "--limit", "-1" }, "needs a number" },
		{ { "pair", "list", "--bogus" }, "no option --bogus" },
		{ { "pair", "show", "\xff\xfe" }, "no UTF-8" },
		{ { "pair", "list", "--a-very-long-option-that-nobody-has" }, "no option" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *const *words = (char *const *)rows[i].words;
		struct ctl_request r;
		char err[CTL_USAGE_SIZE] = "";

		cr_expect_eq(ctl_request_parse(&r, count(words), (char **)words, err), -EINVAL,
			     "row %zu", i);
		cr_expect(strstr(err, rows[i].says), "row %zu: %s", i, err);
	}
}

Test(ctl, no_command_lacks_help_and_no_two_are_alike)
{
	for (const struct ctl_command *c = ctl_commands; c->noun; c++) {
		cr_expect(c->help && c->help[0], "%s", c->method);
		for (const struct ctl_command *o = c + 1; o->noun; o++)
			cr_expect(strcmp(c->method, o->method) != 0, "%s", c->method);
	}
}

/* ---- Printing */

typedef void (*print_fn)(FILE *out, const json_t *j, const struct ctl_view *v);

/* What is printed; the caller frees it. */
static char *printed(print_fn fn, const char *json, bool all)
{
	json_t *j = json_loads(json, JSON_DECODE_ANY, NULL);
	const struct ctl_view v = { .all = all };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert(j, "%s", json);
	fn(f, j, &v);
	fclose(f);
	json_decref(j);
	return text;
}

static void print_table(FILE *out, const json_t *j, const struct ctl_view *v)
{
	static const struct ctl_column columns[] = {
		{ "name", "NAME" }, { "n", "COUNT [B]" }, { "in.deep", "DEEP" }, { NULL, NULL }
	};

	(void)v;
	ctl_table_print(out, j, columns);
}

Test(ctl, tables_are_aligned)
{
	char *text = printed(print_table,
			     "[{\"name\":\"a\",\"n\":5,\"in\":{\"deep\":true}},"
			     "{\"name\":\"w\\u00e4chter\",\"n\":12345,\"in\":{\"deep\":null}},"
			     "{\"name\":[\"x\",\"y\"],\"n\":1.25}]",
			     false);

	cr_expect_str_eq(text,
			 "NAME     COUNT [B]  DEEP\n"
			 "a                5  yes\n"
			 "w\xc3\xa4"
			 "chter      12345  -\n"
			 "x y           1.25  -\n",
			 "%s", text);
	free(text);
}

Test(ctl, no_control_character_reaches_a_terminal)
{
	char *text =
		printed(print_table, "[{\"name\":\"\\u001b[2Ja\\u007f\\u009bb\\u0007\"}]", false);

	cr_expect(strstr(text, "?[2Ja???b?"), "%s", text);
	free(text);
	text = printed(ctl_print_event,
		       "{\"time\":\"T\",\"pair\":\"e\",\"cause\":\"c\",\"evidence\":\"\\u001b]0;"
		       "x\\u0007\"}",
		       false);
	cr_expect_str_eq(text, "T  e  (c)  ?]0;x?\n", "%s", text);
	free(text);
}

Test(ctl, an_event_is_one_line)
{
	char *text =
		printed(ctl_print_event,
			"{\"time\":\"T\",\"pair\":\"east\",\"member\":\"a\",\"from\":\"up\",\"to\":"
			"\"down\","
			"\"cause\":\"probe-timeout\",\"evidence\":\"no answer\",\"who\":\"root\"}",
			false);

	cr_expect_str_eq(text, "T  east/a  up -> down  (probe-timeout) by root  no answer\n", "%s",
			 text);
	free(text);
}

static const char stats[] =
	"{\"workers\":[{\"worker\":0,\"packets\":7,\"packets_per_burst\":1.5,\"cycles_per_packet\":"
	"900.0,"
	"\"drops\":{\"ip-header\":0,\"udp-length\":3}},"
	"{\"worker\":1,\"packets\":9,\"drops\":{\"ip-header\":0,\"udp-length\":4}}],"
	"\"ports\":[{\"port\":\"net0\",\"link\":true,\"rx_bytes\":100}],"
	"\"members\":[{\"pair\":\"east\",\"member\":\"a\",\"requests\":{\"INVITE\":5,\"BYE\":0},"
	"\"responses\":{\"2xx\":4,\"5xx\":0},\"originated\":0}],"
	"\"in_flight\":{\"copies_in_use\":3,\"copies_full\":0,\"rescued\":{\"sends\":{},\"code\":{"
	"\"INVITE\":2,\"BYE\":1},\"down\":{\"INVITE\":9}}},"
	"\"probes\":{\"sent\":4711,\"late\":2,\"other-branch\":0},"
	"\"reasons\":{\"ip-header\":\"bad\",\"udp-length\":\"too short\"},"
	"\"snapshot\":{\"generation\":12}}";

Test(ctl, stats_leave_out_what_is_zero_unless_asked)
{
	char *text = printed(ctl_print_stats, stats, false);

	cr_expect(strstr(text, "NOT FORWARDED  WORKER 0  WORKER 1  WHY\nudp-length            3    "
			       "     4  too short\n"),
		  "%s", text);
	cr_expect(strstr(text, "PAIR  MEMBER  INVITE  2xx  ORIGINATED\neast  a            5    4   "
			       "        0\n"),
		  "%s", text);
	cr_expect(strstr(text, "RESCUED BECAUSE OF  INVITE  BYE\ncode                     2    1\n"
			       "down                     9  -\n"),
		  "%s", text);
	cr_expect(strstr(text, "copies_in_use"), "%s", text);
	cr_expect_not(strstr(text, "copies_full"), "%s", text);
	cr_expect(strstr(text, "4711") && strstr(text, "late"), "%s", text);
	cr_expect_not(strstr(text, "other-branch"), "%s", text);
	cr_expect(strstr(text, "PACKETS/BURST"), "%s", text);
	cr_expect(strstr(text, "CYCLES/PACKET"), "%s", text);
	cr_expect_not(strstr(text, "ip-header"), "%s", text);
	cr_expect_not(strstr(text, "generation"), "%s", text);
	free(text);
	text = printed(ctl_print_stats, stats, true);
	cr_expect(strstr(text, "ip-header"), "%s", text);
	cr_expect(strstr(text, "BYE"), "%s", text);
	cr_expect(strstr(text, "copies_full"), "%s", text);
	cr_expect(strstr(text, "other-branch"), "%s", text);
	cr_expect(strstr(text, "generation"), "%s", text);
	free(text);
}

Test(ctl, names_with_their_troubles)
{
	static const char json[] =
		"{\"resolvers\":\"192.0.2.53:53\",\"names\":[{\"name\":\"sip.x\",\"state\":"
		"\"stale\",\"by\":\"srv\","
		"\"ttl_s\":0,\"next_s\":7,\"addresses\":[\"198.51.100.1:5060\",\"198.51.100.2:"
		"5060\"],"
		"\"used_by\":[\"east\"],\"error\":\"timeout\",\"failing_since\":\"T\","
		"\"refused\":[\"a.x has port 0\"]}]}";
	char *text = printed(ctl_print_dns, json, false);

	cr_expect(strstr(text, "resolvers  192.0.2.53:53\n"), "%s", text);
	cr_expect(strstr(text, "sip.x  stale  srv        0         7  198.51.100.1:5060 "
			       "198.51.100.2:5060  east"),
		  "%s", text);
	cr_expect(strstr(text, "sip.x: fails since T: timeout\n"), "%s", text);
	cr_expect(strstr(text, "sip.x: not used: a.x has port 0\n"), "%s", text);
	free(text);
}

Test(ctl, answers_that_lack_things_do_no_harm)
{
	static const print_fn fns[] = { ctl_print_stats, ctl_print_pair,    ctl_print_reload,
					ctl_print_net,   ctl_print_version, ctl_print_event,
					ctl_print_dns };
	static const char *const odd[] = {
		"{}",
		"[]",
		"null",
		"7",
		"{\"names\":[7,{\"refused\":[5]}]}",
		"{\"workers\":7,\"members\":{}}",
		"{\"in_flight\":{\"rescued\":{\"code\":7}}}",
		"{\"members\":[7],\"events\":[[]],\"failback\":{\"modes\":[1]}}"
	};

	for (size_t i = 0; i < sizeof(fns) / sizeof(fns[0]); i++) {
		for (size_t k = 0; k < sizeof(odd) / sizeof(odd[0]); k++)
			free(printed(fns[i], odd[k], true));
	}
}

/* ---- The program */

static char dir[64], path[96];
static pid_t server;
static char out[65536];

static void pair_list(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_reply(call, json_pack("[{s:s, s:s, s:s}]", "name", "east", "state", "primary",
				      "active", "east-a"));
}

static void pair_switch(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_refuse(call, CTL_RPC_REFUSED, NULL, "east-b is disabled; enable it first");
}

static void reload(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_refuse(call, CTL_RPC_CONFIG,
		       json_pack("{s:s, s:[{s:i, s:b, s:s}, {s:i, s:b, s:s}]}", "file", "/x.yaml",
				 "errors", "line", 3, "error", 1, "text", "wrong", "line", 9,
				 "error", 0, "text", "odd"),
		       "the configuration has 1 error; the old one stays in force");
}

static void pin(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_reply(call, json_object());
}

/* A daemon that ends under its followers, when all is sent. */
static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void follow(void *context, struct ctl_rpc_call *call)
{
	const struct timeval soon = { .tv_usec = 1000 };
	struct ctl_rpc *rpc = ctl_rpc_of(call);
	json_t *event = json_pack("{s:s, s:s, s:s, s:s}", "time", "T", "pair", "east", "cause", "c",
				  "evidence", "e");

	ctl_rpc_follow(call, "event", NULL);
	ctl_rpc_reply(call, json_true());
	for (int i = 0; i < 3; i++)
		ctl_rpc_publish(rpc, "event", NULL, event);
	event_base_once(context, -1, EV_TIMEOUT, on_end, context, &soon);
}

static const struct ctl_rpc_method methods[] = {
	{ .name = "pair.list", .fn = pair_list },
	{ .name = "pair.switch",
	  .fn = pair_switch,
	  .params = { { "name", CTL_RPC_STRING, true, "" }, { "to", CTL_RPC_STRING, false, "" } } },
	{ .name = "pair.pin", .fn = pin, .params = { { "name", CTL_RPC_STRING, true, "" } } },
	{ .name = "reload", .fn = reload },
	{ .name = "event.follow", .fn = follow },
};

static void serve(void)
{
	struct ctl_rpc_params p = { .methods = methods,
				    .n_methods = sizeof(methods) / sizeof(methods[0]) };
	char err[CTL_LISTEN_ERROR_SIZE];
	struct ctl_rpc *rpc;

	p.base = p.context = event_base_new();
	p.listener = ctl_rpc_listen(path, err);
	rpc = p.listener < 0 ? NULL : ctl_rpc_new(&p);
	if (!rpc)
		_exit(1);
	event_base_dispatch(p.base);
	ctl_rpc_flush(rpc, 1000);
	_exit(0);
}

/* The path is there before somebody listens. */
static bool is_served(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool served;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	served = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return served;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/ctl_test.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	server = fork();
	if (server == 0)
		serve();
	while (!is_served())
		usleep(1000);
}

static void teardown(void)
{
	char command[80];

	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

/* Run the program; its stdout and stderr go to `out`. @return its exit status. */
static int run(const char *arguments)
{
	char command[512];
	FILE *f;
	int status;

	snprintf(command, sizeof(command), "%s --socket %s %s 2>&1", SIPSTEERCTL, path, arguments);
	f = popen(command, "r");
	cr_assert(f);
	out[fread(out, 1, sizeof(out) - 1, f)] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TestSuite(program, .init = setup, .fini = teardown, .timeout = 60);

Test(program, exit_status_and_words_for_every_outcome)
{
	static const struct {
		const char *arguments;
		int status;
		const char *says;
	} rows[] = {
		{ "pair list", 0,
		  "PAIR  STATE    ACTIVE  PINNED  SINCE\neast  primary  east-a  -       -\n" },
		{ "--json pair list", 0, "\"active\": \"east-a\"" },
		{ "pair pin east", 0, "east: pinned\n" },
		{ "pair switch east --to b", 2,
		  "sipsteerctl: east-b is disabled; enable it first\n" },
		{ "reload", 2,
		  "/x.yaml:3: wrong\n/x.yaml:9: warning: odd\nsipsteerctl: the configuration has 1 "
		  "error" },
		{ "stats show", 2, "no method \"stats.show\"" },
		{ "pair", 1, "needs a verb" },
		{ "--help", 0, "Usage: sipsteerctl" },
		{ "--version", 0, "sipsteerctl " },
		{ "--socket /nonexistent/sock pair list", 2, "is sipsteerd running?" },
		{ "event follow", 2,
		  "T  east  (c)  e\nT  east  (c)  e\nT  east  (c)  e\nsipsteerctl: sipsteerd has "
		  "closed" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = run(rows[i].arguments);

		cr_expect_eq(status, rows[i].status, "%s: %d", rows[i].arguments, status);
		cr_expect(strstr(out, rows[i].says), "%s: %s", rows[i].arguments, out);
	}
}

Test(program, a_daemon_that_is_gone_is_said_with_the_remedy)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	cr_expect_eq(run("pair list"), 2);
	cr_expect(strstr(out, "is sipsteerd running?"), "%s", out);
}
