/* The JSON-RPC server over real sockets. Rules are those of the JSON-RPC 2.0 specification. */
#include "control/rpc/ctl_rpc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/rpc/ctl_rpc_listen.h"

static struct event_base *base;
static struct ctl_rpc *rpc;
static struct ctl_rpc_call *held;
static unsigned int n_touched;
static char dir[64], path[96];
static int lock_fd, listener;

static void echo(void *context, struct ctl_rpc_call *call)
{
	const char *text = ctl_rpc_string(call, "text");

	cr_expect_eq(context, &n_touched);
	n_touched++;
	ctl_rpc_reply(call, json_pack("{s:s, s:s?, s:b, s:I}", "who", ctl_rpc_who(call), "text",
				      text, "loud", (int)ctl_rpc_bool(call, "loud"), "times",
				      (json_int_t)ctl_rpc_integer(call, "times", 1)));
}

static void hold(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	held = call;
}

static void refuse(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_refuse(call, CTL_RPC_REFUSED, json_pack("{s:i}", "left", 3), "not %s", "now");
}

static void big(void *context, struct ctl_rpc_call *call)
{
	char *text = calloc(1, 20001);

	(void)context;
	memset(text, 'x', 20000);
	ctl_rpc_reply(call, json_string(text));
	free(text);
}

static void follow(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	cr_expect_eq(ctl_rpc_follow(call, "news", ctl_rpc_string(call, "key")), 0);
	ctl_rpc_reply(call, json_true());
}

static const struct ctl_rpc_method methods[] = {
	{ "echo",
	  "say it again",
	  echo,
	  { { "text", CTL_RPC_STRING, true, "what" },
	    { "loud", CTL_RPC_BOOL, false, "how" },
	    { "times", CTL_RPC_INTEGER, false, "how often" } } },
	{ .name = "hold", .help = "answer later", .fn = hold },
	{ .name = "refuse", .help = "never", .fn = refuse },
	{ .name = "big", .help = "much", .fn = big },
	{ .name = "follow",
	  .help = "news",
	  .fn = follow,
	  .params = { { "key", CTL_RPC_STRING, false, "whose" } } },
};

static void setup(void)
{
	struct ctl_rpc_params p = { .methods = methods,
				    .n_methods = sizeof(methods) / sizeof(methods[0]),
				    .context = &n_touched };
	char err[CTL_LISTEN_ERROR_SIZE] = "";

	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/rpc_test.XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	lock_fd = ctl_rpc_lock(path, err);
	cr_assert_geq(lock_fd, 0, "%s", err);
	listener = ctl_rpc_listen(path, err);
	cr_assert_geq(listener, 0, "%s", err);
	base = event_base_new();
	p.base = base;
	p.listener = listener;
	rpc = ctl_rpc_new(&p);
	cr_assert(rpc);
}

static void teardown(void)
{
	char command[80];

	ctl_rpc_free(rpc);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

static int dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(sun.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0, "%s", strerror(errno));
	return fd;
}

static void pump(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Write all, while the server runs. */
static void put(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		pump();
		if (n < 0 && errno != EAGAIN)
			return;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void say(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

/* The next line, parsed; NULL at the end of the connection. */
static json_t *hear(int fd)
{
	static char line[1 << 20];
	size_t n = 0;
	json_t *j;

	do {
		ssize_t got = recv(fd, line + n, sizeof(line) - n, MSG_PEEK);
		const char *end = got > 0 ? memchr(line + n, '\n', (size_t)got) : NULL;

		if (got < 0 && errno == EAGAIN) {
			pump();
			continue;
		}
		if (got <= 0)
			return NULL;
		got = recv(fd, line + n, end ? (size_t)(end - line) - n + 1 : (size_t)got, 0);
		n += (size_t)got;
		cr_assert_lt(n, sizeof(line));
	} while (n == 0 || line[n - 1] != '\n');
	j = json_loadb(line, n, 0, NULL);
	cr_assert(j, "%.*s", (int)n, line);
	cr_expect_str_eq(json_string_value(json_object_get(j, "jsonrpc")), "2.0");
	return j;
}

static json_int_t code_of(const json_t *answer)
{
	return json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static const char *message_of(const json_t *answer)
{
	const char *m =
		json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

	return m ? m : "";
}

TestSuite(rpc, .init = setup, .fini = teardown, .timeout = 60);

Test(rpc, a_call_is_answered_with_its_id_section_5)
{
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"text\":\"a\"}}"
		  "\n",
		  "{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":{\"loud\":false,\"text\":\"a\","
		  "\"times\":1}}" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\",\"params\":[\"b\",true]}"
		  "\n",
		  "{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"result\":{\"loud\":true,\"text\":\"b\","
		  "\"times\":1}}" },
		{ " {\"method\":\"echo\",\"id\":null,\"params\":{\"times\":7,\"text\":\"\"},"
		  "\"jsonrpc\":\"2.0\"} \r\n",
		  "{\"id\":null,\"jsonrpc\":\"2.0\",\"result\":{\"loud\":false,\"text\":\"\","
		  "\"times\":7}}" },
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *answer;
		char *text;

		say(fd, rows[i].request);
		answer = hear(fd);
		json_object_del(json_object_get(answer, "result"), "who");
		text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
		cr_expect_str_eq(text, rows[i].answer, "row %zu: %s", i, text);
		free(text);
		json_decref(answer);
	}
	close(fd);
}

Test(rpc, what_is_wrong_is_said_section_5_1)
{
#define CALL(rest) "{\"jsonrpc\":\"2.0\",\"id\":1," rest "}\n"
	static const struct {
		const char *request;
		int code;
		const char *says;
	} rows[] = {
		{ "nonsense\n", CTL_RPC_PARSE, "not JSON" },
		{ "{\"jsonrpc\":\"2.0\",\n", CTL_RPC_PARSE, "not JSON" },
		{ CALL("\"method\":\"echo\",\"method\":\"echo\""), CTL_RPC_PARSE, "duplicate" },
		{ "[]\n", CTL_RPC_INVALID, "one request a line" },
		{ "7\n", CTL_RPC_PARSE, "not JSON" },
		{ "{}\n", CTL_RPC_INVALID, "\"jsonrpc\"" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}\n", CTL_RPC_INVALID, "2.0" },
		{ CALL("\"method\":7"), CTL_RPC_INVALID, "\"method\"" },
		{ CALL("\"params\":{}"), CTL_RPC_INVALID, "\"method\"" },
		{ CALL("\"method\":\"echo\",\"params\":7"), CTL_RPC_INVALID, "\"params\"" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}\n", CTL_RPC_INVALID,
		  "\"id\"" },
		{ CALL("\"method\":\"nope\""), CTL_RPC_NO_METHOD, "no method \"nope\"" },
		{ CALL("\"method\":\"echo\""), CTL_RPC_PARAM, "\"text\" is missing" },
		{ CALL("\"method\":\"echo\",\"params\":{\"text\":7}"), CTL_RPC_PARAM,
		  "has to be a string" },
		{ CALL("\"method\":\"echo\",\"params\":{\"text\":\"a\",\"loud\":1}"), CTL_RPC_PARAM,
		  "boolean" },
		{ CALL("\"method\":\"echo\",\"params\":{\"text\":\"a\",\"times\":1.5}"),
		  CTL_RPC_PARAM, "integer" },
		{ CALL("\"method\":\"echo\",\"params\":{\"txt\":\"a\"}"), CTL_RPC_PARAM,
		  "no parameter \"txt\"" },
		{ CALL("\"method\":\"echo\",\"params\":{\"txt\":\"a\"}"), CTL_RPC_PARAM,
		  "text: string, loud: boolean (optional)" },
		{ CALL("\"method\":\"echo\",\"params\":[\"a\",true,1,2]"), CTL_RPC_PARAM,
		  "too many" },
		{ CALL("\"method\":\"hold\",\"params\":[1]"), CTL_RPC_PARAM, "no parameters" },
		{ CALL("\"method\":\"refuse\""), CTL_RPC_REFUSED, "not now" },
	};
	int fd = dial();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *answer;

		say(fd, rows[i].request);
		answer = hear(fd);
		cr_expect_eq(code_of(answer), rows[i].code, "%s: %lld", rows[i].request,
			     code_of(answer));
		cr_expect(strstr(message_of(answer), rows[i].says), "%s: %s", rows[i].request,
			  message_of(answer));
		cr_expect_null(json_object_get(answer, "result"));
		cr_expect(json_object_get(answer, "id"));
		json_decref(answer);
	}
	cr_expect_eq(n_touched, 0, "no function ran with arguments that it did not ask for");
	close(fd);
}

Test(rpc, refusals_carry_data)
{
	int fd = dial();
	json_t *answer;

	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"refuse\"}\n");
	answer = hear(fd);
	cr_expect_eq(json_integer_value(json_object_get(
			     json_object_get(json_object_get(answer, "error"), "data"), "left")),
		     3);
	json_decref(answer);
	close(fd);
}

Test(rpc, notifications_have_no_answer_section_4_1)
{
	int fd = dial();
	json_t *answer;

	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"text\":\"a\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"refuse\"}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"echo\",\"params\":[\"b\"]}\n");
	answer = hear(fd);
	cr_expect_eq(json_integer_value(json_object_get(answer, "id")), 5);
	cr_expect_eq(n_touched, 2);
	json_decref(answer);
	close(fd);
}

Test(rpc, a_request_may_come_in_pieces)
{
	static const char q[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}\n";
	int fd = dial();
	json_t *answer;

	for (size_t i = 0; i < sizeof(q) - 1; i++)
		put(fd, q + i, 1);
	answer = hear(fd);
	cr_expect(json_object_get(answer, "result"));
	json_decref(answer);
	close(fd);
}

Test(rpc, the_last_request_may_lack_its_newline)
{
	int fd = dial();
	json_t *answer;

	say(fd, "\n \r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}");
	shutdown(fd, SHUT_WR);
	answer = hear(fd);
	cr_expect(json_object_get(answer, "result"));
	json_decref(answer);
	cr_expect_null(hear(fd), "and then the connection ends");
	close(fd);
}

Test(rpc, too_long_a_request_is_refused_and_the_connection_ends)
{
	static char text[200000];
	int fd = dial();
	json_t *answer;

	memset(text, ' ', sizeof(text));
	put(fd, text, sizeof(text));
	answer = hear(fd);
	cr_expect_eq(code_of(answer), CTL_RPC_INVALID);
	cr_expect(strstr(message_of(answer), "too long"));
	json_decref(answer);
	cr_expect_null(hear(fd));
	close(fd);
}

Test(rpc, the_longest_request_is_taken)
{
	static const char head[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"";
	static char text[CTL_RPC_LINE_MAX + 1];
	int fd = dial();
	json_t *answer;

	memset(text, 'x', sizeof(text));
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + CTL_RPC_LINE_MAX - 3, "\"]}\n", 4);
	put(fd, text, sizeof(text));
	answer = hear(fd);
	cr_expect(json_object_get(answer, "result"), "%s", message_of(answer));
	json_decref(answer);
	close(fd);
}

Test(rpc, an_answer_may_come_later_and_others_are_served_meanwhile)
{
	int a = dial(), b = dial();
	json_t *answer;

	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	while (!held)
		pump();
	say(b, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\",\"params\":[\"b\"]}\n");
	answer = hear(b);
	cr_expect_eq(json_integer_value(json_object_get(answer, "id")), 2);
	json_decref(answer);
	ctl_rpc_reply(held, json_string("at last"));
	answer = hear(a);
	cr_expect_str_eq(json_string_value(json_object_get(answer, "result")), "at last");
	json_decref(answer);
	close(a);
	close(b);
}

Test(rpc, a_client_that_is_gone_loses_only_its_answer)
{
	int a = dial();

	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	while (!held)
		pump();
	/* Half closed, it still waits; reset, it is gone. */
	shutdown(a, SHUT_WR);
	for (int i = 0; i < 10; i++)
		pump();
	close(a);
	ctl_rpc_reply(held, json_true());
	for (int i = 0; i < 10; i++)
		pump();
	a = dial();
	held = NULL;
	say(a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n");
	while (!held)
		pump();
	ctl_rpc_free(rpc);
	rpc = NULL;
	ctl_rpc_reply(held, json_true());
}

Test(rpc, a_client_that_does_not_read_is_not_read_from)
{
	static const char q[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\"}\n";
	int fd = dial();
	size_t sent = 0, answers = 0;
	int stalled = 0;

	/* Requests go out until the server takes no more: it must stop, and not gather answers
	 * without end. */
	while (stalled < 50) {
		size_t part = sent % (sizeof(q) - 1);
		ssize_t n = send(fd, q + part, sizeof(q) - 1 - part, MSG_NOSIGNAL);

		stalled = n < 0 ? stalled + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		cr_assert_lt(sent, 4u << 20, "the server takes requests without end");
		pump();
	}
	while (answers < sent / (sizeof(q) - 1)) {
		json_t *answer = hear(fd);
		cr_assert(answer, "answer %zu", answers);
		json_decref(answer);
		answers++;
	}
	close(fd);
}

Test(rpc, followers_get_what_they_follow)
{
	int all = dial(), east = dial(), none = dial();
	json_t *news = json_pack("{s:s}", "pair", "west"), *answer;

	say(all, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"follow\"}\n");
	say(east, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"follow\",\"params\":[\"east\"]}\n");
	json_decref(hear(all));
	json_decref(hear(east));
	ctl_rpc_publish(rpc, "news", "west", news);
	json_object_set_new(news, "pair", json_string("east"));
	ctl_rpc_publish(rpc, "news", "east", news);
	ctl_rpc_publish(rpc, "gossip", NULL, news);
	answer = hear(all);
	cr_expect_str_eq(json_string_value(json_object_get(answer, "method")), "news");
	cr_expect_null(json_object_get(answer, "id"));
	cr_expect_str_eq(
		json_string_value(json_object_get(json_object_get(answer, "params"), "pair")),
		"west");
	json_decref(answer);
	answer = hear(east);
	cr_expect_str_eq(
		json_string_value(json_object_get(json_object_get(answer, "params"), "pair")),
		"east");
	json_decref(answer);
	say(none, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"echo\",\"params\":[\"a\"]}\n");
	answer = hear(none);
	cr_expect_eq(json_integer_value(json_object_get(answer, "id")), 9, "nothing came before");
	json_decref(answer);
	json_decref(news);
	close(all);
	close(east);
	close(none);
}

Test(rpc, a_follower_that_does_not_read_is_let_go)
{
	static char text[100001];
	int slow = dial(), other;
	json_t *news, *answer;

	memset(text, 'x', sizeof(text) - 1);
	news = json_pack("{s:s}", "text", text);
	say(slow, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"follow\"}\n");
	json_decref(hear(slow));
	for (int i = 0; i < 200; i++) {
		ctl_rpc_publish(rpc, "news", NULL, news);
		pump();
	}
	while ((answer = hear(slow)) != NULL)
		json_decref(answer);
	other = dial();
	say(other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}\n");
	answer = hear(other);
	cr_expect(answer);
	json_decref(answer);
	json_decref(news);
	close(slow);
	close(other);
}

Test(rpc, clients_are_bounded)
{
	int fds[CTL_RPC_CLIENTS + 1];
	json_t *answer;

	for (unsigned int i = 0; i <= CTL_RPC_CLIENTS; i++) {
		fds[i] = dial();
		pump();
	}
	answer = hear(fds[CTL_RPC_CLIENTS]);
	cr_expect_eq(code_of(answer), CTL_RPC_BUSY);
	json_decref(answer);
	close(fds[CTL_RPC_CLIENTS]);
	close(fds[0]);
	for (int i = 0; i < 10; i++)
		pump();
	fds[0] = dial();
	say(fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}\n");
	answer = hear(fds[0]);
	cr_expect(json_object_get(answer, "result"), "one that left makes room");
	json_decref(answer);
}

Test(rpc, who_calls_is_known_by_name)
{
	const struct passwd *p = getpwuid(getuid());
	int fd = dial();
	json_t *answer;

	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"a\"]}\n");
	answer = hear(fd);
	cr_expect_str_eq(
		json_string_value(json_object_get(json_object_get(answer, "result"), "who")),
		p->pw_name);
	json_decref(answer);
	close(fd);
}

Test(rpc, the_table_describes_itself)
{
	json_t *d = ctl_rpc_describe(rpc);
	const json_t *e = json_array_get(d, 0);

	cr_expect_eq(json_array_size(d), sizeof(methods) / sizeof(methods[0]));
	cr_expect_str_eq(json_string_value(json_object_get(e, "name")), "echo");
	cr_expect_eq(json_array_size(json_object_get(e, "params")), 3);
	json_decref(d);
}

/* ---- The socket and the lock */

Test(rpc, the_socket_is_for_owner_and_group_only)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660, "%o", st.st_mode & 0777);
}

Test(rpc, a_second_server_is_refused_until_the_first_is_gone)
{
	char err[CTL_LISTEN_ERROR_SIZE] = "", pid[32];
	int again;

	again = ctl_rpc_lock(path, err);
	cr_expect_eq(again, -EBUSY);
	cr_expect(strstr(err, "already serves"), "%s", err);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	cr_expect(strstr(err, pid), "%s", err);
	close(lock_fd);
	again = ctl_rpc_lock(path, err);
	cr_expect_geq(again, 0, "%s", err);
	close(again);
}

Test(rpc, the_lock_goes_with_a_killed_server)
{
	char err[CTL_LISTEN_ERROR_SIZE] = "", other[96];
	int ready[2];
	char c;
	pid_t pid;

	snprintf(other, sizeof(other), "%s/sub/control.sock", dir);
	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		c = ctl_rpc_lock(other, err) >= 0 && ctl_rpc_listen(other, err) >= 0;
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &c, 1), 1);
	cr_assert_eq(c, 1);
	cr_expect_eq(ctl_rpc_lock(other, err), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect_geq(ctl_rpc_lock(other, err), 0, "%s", err);
	cr_expect_geq(ctl_rpc_listen(other, err), 0, "its stale socket is removed: %s", err);
}

Test(rpc, what_cannot_be_listened_at_is_said)
{
	char err[CTL_LISTEN_ERROR_SIZE] = "", bad[200];

	cr_expect_lt(ctl_rpc_lock("/dev/null/a/control.sock", err), 0);
	cr_expect(strstr(err, "/dev/null/a"), "%s", err);
	snprintf(bad, sizeof(bad), "%s/file", dir);
	fclose(fopen(bad, "w"));
	cr_expect_lt(ctl_rpc_listen(bad, err), 0);
	cr_expect(strstr(err, "no socket"), "%s", err);
	cr_expect_eq(access(bad, F_OK), 0, "and is left alone");
	memset(bad, 'x', sizeof(bad) - 1);
	bad[0] = '/';
	bad[sizeof(bad) - 1] = '\0';
	cr_expect_eq(ctl_rpc_listen(bad, err), -ENAMETOOLONG);
	cr_expect(strstr(err, "107 bytes"), "%s", err);
}
