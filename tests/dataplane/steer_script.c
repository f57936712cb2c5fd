#include "tests/dataplane/steer_script.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT  "203.0.113.5:5060"
#define OURS    "192.0.2.10:5060"
#define MEMBERS 3

static const char *const addresses[MEMBERS] = { "198.51.100.11:5060", "198.51.100.12:5060",
						"198.51.100.13:5060" };
static const char *const names[MEMBERS] = { "east-a", "east-b", "east-c" };

struct got {
	char text[4096];
};

struct script {
	const struct script_row *row;
	struct bench *b;
	char trace[2048];
	char method[16];      /* of the client's transaction */
	char to[256];         /* To of the last final that the client got */
	int attempt[MEMBERS]; /* last that a member got, -1: none */
	struct got got[MEMBERS][16], cancel[MEMBERS][16];
	unsigned int taken; /* of b->sent */
};

/* ---- What leaves ---- */

static int member_at(const char *address)
{
	for (int i = 0; i < MEMBERS; i++)
		if (strcmp(addresses[i], address) == 0)
			return i;
	return -1;
}

static int attempt_of(const char *text)
{
	const char *branch = strstr(text, "branch=");
	struct steer_branch br;

	cr_assert(branch
		  && steer_branch_read((const uint8_t *)branch + 7, STEER_BRANCH_LEN, &br) == 0);
	return br.attempt;
}

static void note(struct script *s, const char *token)
{
	size_t len = strlen(s->trace);

	snprintf(s->trace + len, sizeof(s->trace) - len, "%s%s", len ? " " : "", token);
}

static void leaves(struct script *s, const struct dp_endpoint *to, const char *text)
{
	int m = member_at(bench_endpoint_text(to)), attempt;
	char token[64];

	if (m < 0) {
		cr_expect_str_eq(bench_endpoint_text(to), CLIENT, "%s", s->row->name);
		snprintf(token, sizeof(token), "c:%.3s", text + 8);
		note(s, token);
		if (text[8] >= '2' && strstr(bench_header(text, "CSeq", 0), "CANCEL") == NULL)
			snprintf(s->to, sizeof(s->to), "%s", bench_header(text, "To", 0));
		return;
	}
	attempt = attempt_of(text);
	snprintf(token, sizeof(token), "%c:%.*s.%d", 'A' + m, (int)strcspn(text, " "), text,
		 attempt);
	note(s, token);
	if (strncmp(text, "ACK", 3) == 0)
		return;
	if (strncmp(text, "CANCEL", 6) == 0) {
		snprintf(s->cancel[m][attempt].text, sizeof(s->cancel[m][attempt].text), "%s",
			 text);
		return;
	}
	/* The same bytes each time that it is sent on a branch. */
	if (s->got[m][attempt].text[0])
		cr_expect_str_eq(s->got[m][attempt].text, text, "%s", s->row->name);
	s->attempt[m] = attempt;
	snprintf(s->got[m][attempt].text, sizeof(s->got[m][attempt].text), "%s", text);
}

static void collect_sent(struct script *s)
{
	while (s->taken < s->b->n_sent) {
		const struct bench_sent *out = &s->b->sent[s->taken++];

		leaves(s, &out->to, out->text);
	}
	s->b->n_sent = s->taken = 0;
}

/* After a datagram came in: what was sent meanwhile, then the verdict. */
static void collect(struct script *s)
{
	collect_sent(s);
	if (s->b->v.action != STEER_DROP)
		leaves(s, &s->b->v.to, s->b->out);
}

/* ---- Input ---- */

static void client(struct script *s, const char *method)
{
	bool follows = strcmp(method, "ACK") == 0 || strcmp(method, "CANCEL") == 0;
	char text[1024], to[300] = "";

	if (!follows)
		snprintf(s->method, sizeof(s->method), "%s", method);
	if (strcmp(method, "ACK") == 0)
		snprintf(to, sizeof(to), "To: %s\n", s->to);
	else if (strcmp(method, "BYE") == 0)
		snprintf(to, sizeof(to), "To: <sip:bob@example.com>;tag=t1\n");
	snprintf(text, sizeof(text),
		 "%s sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP " CLIENT
		 ";branch=z9hG4bK-t\n%sCSeq: 7 %s\n",
		 method, to, method);
	bench_send(s->b, CLIENT, OURS, text);
	collect(s);
}

/* "A 180", "A.0 503", "A 200 CANCEL" */
static void answer(struct script *s, const char *line)
{
	static char reply[BENCH_MSG];
	int m = line[0] - 'A', attempt = s->attempt[m];
	bool cancel = strstr(line, "CANCEL") != NULL;
	unsigned int status;
	const char *p = line + 1;

	if (*p == '.')
		attempt = (int)strtol(p + 1, (char **)&p, 10);
	status = (unsigned int)strtoul(p, NULL, 10);
	cr_assert(attempt >= 0 && status >= 100, "%s: %s", s->row->name, line);
	strcpy(s->b->out, cancel ? s->cancel[m][attempt].text : s->got[m][attempt].text);
	cr_assert(s->b->out[0], "%s: %s: it has got none", s->row->name, line);
	bench_reply_text(s->b, reply, status, "", "");
	bench_bytes(s->b, addresses[m], OURS, reply, strlen(reply));
	collect(s);
}

static void icmp(struct script *s, int m)
{
	const char *text = s->got[m][s->attempt[m]].text;
	struct steer_icmp in = {
		.from = bench_endpoint(OURS),
		.to = bench_endpoint(addresses[m]),
		.quote = (const uint8_t *)text,
		.quote_len = (uint32_t)strlen(text),
		.type = 3,
		.code = 3,
	};
	uint8_t owner;

	steer_begin(s->b->steer, s->b->cfg, s->b->now_us);
	cr_expect(steer_icmp(s->b->steer, &in, &owner) == STEER_ICMP_PROVEN, "%s", s->row->name);
	collect_sent(s);
}

/* What a change sets off at once. */
static void tick(struct script *s)
{
	steer_begin(s->b->steer, s->b->cfg, s->b->now_us);
	steer_tick(s->b->steer, s->b->now_us);
	collect_sent(s);
}

/* Words that change the pair. @return whether it was one. */
static bool pair_input(struct script *s, const char *word, const char *arg)
{
	const char *member = arg[0] >= 'A' && arg[0] < 'A' + MEMBERS ? names[arg[0] - 'A'] : "";
	struct bench *b = s->b;

	if (strcmp(word, "down") == 0 || strcmp(word, "up") == 0)
		bench_down(b, member, word[0] == 'd');
	else if (strcmp(word, "active") == 0)
		bench_active(b, member);
	else if (strcmp(word, "suspect") == 0 || strcmp(word, "clear") == 0)
		bench_suspect(b, member, word[0] == 's');
	else if (strcmp(word, "drain") == 0)
		bench_drain(b, member, true);
	else if (strcmp(word, "oos") == 0)
		bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	else if (strcmp(word, "unknown") == 0)
		bench_pair_flag(b, "east", DP_WORD_UNKNOWN, true);
	else if (strcmp(word, "trial") == 0)
		bench_trial(b, "east", (uint32_t)strtoul(arg, NULL, 10));
	else
		return false;
	tick(s);
	return true;
}

static void input(struct script *s, char *line)
{
	char word[32] = "", arg[32] = "";

	sscanf(line, "%31s %31s", word, arg);
	if (pair_input(s, word, arg))
		return;
	if (word[0] == '+') {
		bench_wait(s->b, strtoull(word + 1, NULL, 10) * 1000);
		collect_sent(s);
	} else if (strcmp(word, "icmp") == 0) {
		icmp(s, arg[0] - 'A');
	} else if (strcmp(word, "stream") == 0) {
		steer_stream_failed(s->b->steer, bench_member(s->b, names[arg[0] - 'A']));
		tick(s);
	} else if (word[1] == '\0' || word[1] == '.') {
		answer(s, line);
	} else {
		client(s, word);
	}
}

static char *trim(char *p)
{
	char *end = p + strlen(p);

	while (*p == ' ' || *p == '\t')
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return p;
}

static void step(struct script *s, char *line)
{
	char *want;

	line[strcspn(line, "#")] = '\0';
	if (*trim(line) == '\0')
		return;
	want = strchr(line, '>');
	cr_assert(want != NULL, "%s: %s", s->row->name, line);
	*want++ = '\0';
	line = trim(line);
	want = trim(want);
	s->trace[0] = '\0';
	input(s, line);
	cr_expect_str_eq(s->trace[0] ? s->trace : "-", want,
			 "%s: after \"%s\" (%s)\nwant %s\ngot  %s", s->row->name, line, s->b->v.why,
			 want, s->trace[0] ? s->trace : "-");
}

/* Nothing is left once nobody can wait any more. */
static void expect_all_given_back(struct script *s)
{
	struct bench *b = s->b;

	for (int i = 0; i < 60; i++) {
		bench_wait(b, 5000000);
		b->n_sent = 0;
	}
	cr_expect(b->counters.store_used == 0 && b->counters.copies_in_use == 0
			  && b->counters.contexts_in_use == 0 && b->counters.records_in_use == 0,
		  "%s: %lu bytes, %lu copies, %lu contexts, %lu records are left", s->row->name,
		  (unsigned long)b->counters.store_used, (unsigned long)b->counters.copies_in_use,
		  (unsigned long)b->counters.contexts_in_use,
		  (unsigned long)b->counters.records_in_use);
}

void script_run(const struct script_row *row, void (*before_end)(struct bench *b))
{
	struct bench_opts opts = row->opts;
	struct script *s = calloc(1, sizeof(*s));
	char *text = strdup(row->script), *save = NULL;

	cr_assert(s && text);
	if (opts.store_size == 0)
		opts.store_size = 256 * 1024;
	s->row = row;
	s->b = bench_new(&opts);
	for (int i = 0; i < MEMBERS; i++)
		s->attempt[i] = -1;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		step(s, line);
	if (before_end)
		before_end(s->b);
	expect_all_given_back(s);
	bench_free(s->b);
	free(text);
	free(s);
}
