/*
 * Times the parser's variants, libosip2's parser and the bare AVX2 walk of lines over the same
 * messages; tests/bench/part_parser.py starts it and adds the ratios.
 *
 * Usage: parser_bench time SECONDS NAME PATH [NAME PATH]...
 *        parser_bench count NAME PATH [NAME PATH]...
 *
 * PATH is a message, or a folder of them (*.sip), which are taken in the order of their names, one
 * after the other. `time` prints a line "NAME MESSAGES BYTES CONTENDER NS" for each; the contenders
 * take turns, and NS is the least that a message took in any turn. `count` runs each contender once
 * under callgrind, and dumps its count as "NAME MESSAGES CONTENDER".
 */
#include "sip/sip_msg.h"
#include "sip/sip_scan.h"
#include "sip/sip_uri.h"
#include "tests/bench/parser_bench_osip.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <valgrind/callgrind.h>

/* A function that callgrind can tell from its caller. */
#if __has_attribute(noipa)
#define KEPT __attribute__((noipa))
#else
#define KEPT __attribute__((noinline))
#endif

#define MAX_MESSAGES 512
#define MAX_LINES    512
#define READABLE     64 /* bytes behind a message, which the walk needs */
#define MIN_TURNS    20
#define TURN_NS      40000

int walk_lines(const uint8_t *p, size_t len, uint16_t *line, int max);

struct message {
	uint8_t *bytes;
	size_t len;
};

struct group {
	const char *name;
	struct message msg[MAX_MESSAGES];
	unsigned int n;
	size_t bytes;
};

/* What is measured, over one message; the result is kept so that nothing is optimised away. */
struct contender {
	const char *name;
	const struct sip_scan *scan; /* or NULL */
	long (*run)(const struct message *m);
	double best_ns;
};

static struct group group;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void load(const char *path)
{
	struct message *m = &group.msg[group.n++];
	FILE *f = fopen(path, "rb");

	if (!f || group.n == MAX_MESSAGES)
		fail(path);
	m->bytes = calloc(1, SIP_MSG_MAX + READABLE);
	if (!m->bytes)
		fail(path);
	m->len = fread(m->bytes, 1, SIP_MSG_MAX, f);
	group.bytes += m->len;
	fclose(f);
}

static int is_message(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 4 && strcmp(d->d_name + len - 4, ".sip") == 0;
}

static void load_group(const char *name, const char *path)
{
	struct dirent **entry;
	char file[4096];
	struct stat st;
	int n;

	group.name = name;
	if (stat(path, &st) < 0)
		fail(path);
	if (!S_ISDIR(st.st_mode)) {
		load(path);
		return;
	}
	n = scandir(path, &entry, is_message, alphasort);
	if (n <= 0)
		fail(path);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
		load(file);
		free(entry[i]);
	}
	free(entry);
}

static void unload_group(void)
{
	for (unsigned int i = 0; i < group.n; i++)
		free(group.msg[i].bytes);
	group.n = 0;
	group.bytes = 0;
}

static long run_parse(const struct message *m)
{
	static struct sip_msg msg;

	return (long)sip_msg_parse(&msg, m->bytes, m->len) + msg.n_hdrs;
}

/* What steering reads of the URIs on top: all of the Request-URI, who calls. */
static long run_parse_and_uris(const struct message *m)
{
	static struct sip_msg msg;
	struct sip_uri uri;
	long r = 0;

	if (sip_msg_parse(&msg, m->bytes, m->len) != SIP_OK)
		return 0;
	if (msg.is_request)
		r = sip_msg_uri(&msg, msg.uri, &uri) + uri.port;
	return r + sip_msg_uri(&msg, msg.from_uri, &uri) + uri.user.len;
}

static long run_osip(const struct message *m)
{
	return parser_bench_osip(m->bytes, m->len);
}

static long run_walk(const struct message *m)
{
	static uint16_t line[MAX_LINES];

	return walk_lines(m->bytes, m->len, line, MAX_LINES);
}

static unsigned int contenders(struct contender *c)
{
	const struct sip_scan *best = sip_scan_used(), *scan;
	unsigned int n = 0;

	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++)
		if (sip_scan_runs(scan))
			c[n++] = (struct contender){ scan->name, scan, run_parse, 1e12 };
	c[n++] = (struct contender){ "uris", best, run_parse_and_uris, 1e12 };
	c[n++] = (struct contender){ "osip", NULL, run_osip, 1e12 };
	c[n++] = (struct contender){ "walk", NULL, run_walk, 1e12 };
	return n;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* All messages `rounds` times; returns the time that a message took. */
static double turn(const struct contender *c, unsigned int rounds)
{
	volatile long sum = 0;
	double begin;

	if (c->scan)
		sip_scan_use(c->scan);
	c->run(&group.msg[0]);
	begin = now_ns();
	for (unsigned int r = 0; r < rounds; r++)
		for (unsigned int i = 0; i < group.n; i++)
			sum += c->run(&group.msg[i]);
	(void)sum;
	return (now_ns() - begin) / rounds / group.n;
}

static void measure(double seconds)
{
	double end = now_ns() + seconds * 1e9;
	struct contender c[16];
	unsigned int n = contenders(c), rounds[16];

	for (unsigned int i = 0; i < n; i++) {
		turn(&c[i], 3); /* warm */
		rounds[i] = 1 + (unsigned int)(TURN_NS / (turn(&c[i], 3) * group.n));
	}
	for (unsigned int t = 0; t < MIN_TURNS || now_ns() < end; t++) {
		for (unsigned int i = 0; i < n; i++) {
			double ns = turn(&c[i], rounds[i]);

			if (ns < c[i].best_ns)
				c[i].best_ns = ns;
		}
	}
	for (unsigned int i = 0; i < n; i++)
		printf("%s %u %zu %s %.2f\n", group.name, group.n, group.bytes, c[i].name,
		       c[i].best_ns);
}

static KEPT long counted(const struct contender *c)
{
	long sum = 0;

	for (unsigned int i = 0; i < group.n; i++)
		sum += c->run(&group.msg[i]);
	return sum;
}

static void count(void)
{
	struct contender c[16];
	unsigned int n = contenders(c);
	char what[128];

	for (unsigned int i = 0; i < n; i++) {
		if (c[i].scan)
			sip_scan_use(c[i].scan);
		counted(&c[i]); /* what is done once is done */
		snprintf(what, sizeof(what), "%s %u %s", group.name, group.n, c[i].name);
		CALLGRIND_ZERO_STATS;
		counted(&c[i]);
		CALLGRIND_DUMP_STATS_AT(what);
	}
}

int main(int argc, char **argv)
{
	bool timed = argc > 1 && strcmp(argv[1], "time") == 0;
	int first = timed ? 3 : 2;

	if (argc < first + 2 || (argc - first) % 2 != 0)
		return 1;
	parser_bench_osip_init();
	for (int i = first; i < argc; i += 2) {
		load_group(argv[i], argv[i + 1]);
		if (timed)
			measure(strtod(argv[2], NULL));
		else
			count();
		unload_group();
	}
	return 0;
}
