/*
 * Plays seeds, each in a process of its own, several at a time; adds up what they did; ends with
 * status 1 when one of them broke a rule. See docs/SIMULATION.md.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "tests/sim/sim.h"

#define SECONDS_MAX \
	120 /* of processor time that a seed may take: a loop without end is a failure */

#define JOBS_MAX 256u

/** What a seed's process tells the one that adds up. */
struct result {
	uint64_t seed, digest;
	struct sim_stats stats;
};

struct run {
	struct sim_options opt; /* of the next seed */
	uint64_t seeds;         /* so many; 0: until `hours` are done */
	double hours;
	unsigned int jobs, running;
	bool digests, quiet, keep_going;
	int results[2];
	struct {
		pid_t pid;
		uint64_t seed;
	} job[JOBS_MAX];
	uint64_t n_done, n_failed;
	struct sim_stats sum;
	char dir[64];
};

static double hours_of(const struct sim_stats *s)
{
	return (double)s->pair_us / 3.6e9;
}

static void add(struct sim_stats *sum, const struct sim_stats *one)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)one;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

/* ---- A seed's process */

static void limit_time(void)
{
	const struct rlimit limit = { .rlim_cur = SECONDS_MAX, .rlim_max = SECONDS_MAX + 5 };

	setrlimit(RLIMIT_CPU, &limit);
}

static void directory_of(const struct run *r, uint64_t seed, char *dir, size_t size)
{
	snprintf(dir, size, "%s/%" PRIu64, r->dir, seed);
}

static void play(const struct run *r)
{
	struct sim *w = calloc(1, sizeof(*w));
	struct sim_options opt = r->opt;
	struct result res = { .seed = opt.seed };
	char dir[96];

	directory_of(r, opt.seed, dir, sizeof(dir));
	if (w == NULL || mkdir(dir, 0700) != 0)
		abort();
	opt.dir = dir;
	limit_time();
	sim_play(w, &opt);
	res.digest = w->digest;
	res.stats = w->stats;
	free(w);
	if (write(r->results[1], &res, sizeof(res)) != sizeof(res))
		abort();
	exit(0);
}

static void start(struct run *r)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		play(r);
	if (pid < 0)
		abort();
	for (unsigned int i = 0; i < r->jobs; i++) {
		if (r->job[i].pid != 0)
			continue;
		r->job[i].pid = pid;
		r->job[i].seed = r->opt.seed;
		break;
	}
	r->running++;
	r->opt.seed++;
}

/* ---- Adding up */

static void take_result(struct run *r)
{
	struct result res;

	if (read(r->results[0], &res, sizeof(res)) != sizeof(res))
		abort();
	add(&r->sum, &res.stats);
	r->n_done++;
	if (r->digests)
		printf("seed %" PRIu64 " digest %016" PRIx64 " hours %.2f events %" PRIu64 "\n",
		       res.seed, res.digest, hours_of(&res.stats), res.stats.events);
}

/* What a seed left on its disks. */
static void clean(const struct run *r, uint64_t seed)
{
	char dir[96], file[128];

	directory_of(r, seed, dir, sizeof(dir));
	for (unsigned int i = 0; i < SIM_INSTANCES; i++) {
		snprintf(file, sizeof(file), "%s/%u.json", dir, i);
		unlink(file);
		snprintf(file, sizeof(file), "%s/%u.json.broken", dir, i);
		unlink(file);
	}
	rmdir(dir);
}

/* A seed that ended otherwise than by sim_fail() has said nothing yet. */
static void take_end(struct run *r)
{
	int status;
	pid_t pid = wait(&status);
	unsigned int i = 0;

	while (i < r->jobs && r->job[i].pid != pid)
		i++;
	if (pid < 0 || i == r->jobs)
		abort();
	r->job[i].pid = 0;
	r->running--;
	clean(r, r->job[i].seed);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		take_result(r);
		return;
	}
	r->n_failed++;
	if (WIFSIGNALED(status))
		fprintf(stderr,
			"seed %" PRIu64
			" ended by signal %d (%s)\nreplay: scripts/sim --seed %" PRIu64
			" --events %" PRIu64 " --trace\n",
			r->job[i].seed, WTERMSIG(status), strsignal(WTERMSIG(status)),
			r->job[i].seed, r->opt.budget);
}

static bool wants_more(const struct run *r, uint64_t first)
{
	if (r->n_failed != 0 && !r->keep_going)
		return false;
	if (r->seeds != 0)
		return r->opt.seed - first < r->seeds;
	return hours_of(&r->sum) < r->hours;
}

static void say(const struct run *r)
{
	const struct sim_stats *s = &r->sum;

	printf("%" PRIu64 " seeds, %.0f pair-hours, %" PRIu64 " events, %" PRIu64
	       " probes, %" PRIu64 " datagrams, %" PRIu64 " live requests, %" PRIu64 " trials\n",
	       r->n_done, hours_of(s), s->events, s->probes, s->datagrams, s->requests, s->trials);
	printf("%" PRIu64 " faults, %" PRIu64 " orders, %" PRIu64 " restarts, %" PRIu64
	       " reloads, %" PRIu64 " forgeries; %" PRIu64 " transitions, %" PRIu64
	       " switches; rules checked %" PRIu64 " times\n",
	       s->faults, s->orders, s->restarts, s->reloads, s->forged, s->transitions,
	       s->switches, s->checks);
	for (unsigned int i = 0; sim_cause(i) != NULL; i++)
		printf("%s%s %" PRIu64, i != 0 ? ", " : "", sim_cause(i), s->by_cause[i]);
	printf("\n");
}

static int run(struct run *r)
{
	uint64_t first = r->opt.seed;

	if (pipe(r->results) != 0)
		return 2;
	while (wants_more(r, first) || r->running != 0) {
		while (r->running < r->jobs && wants_more(r, first))
			start(r);
		take_end(r);
	}
	if (!r->quiet)
		say(r);
	if (r->n_failed != 0)
		printf("%" PRIu64 " seeds failed\n", r->n_failed);
	return r->n_failed != 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seed N] [--seeds N | --hours H] [--events N] [--jobs N]\n"
			"           [--trace] [--digests] [--quiet] [--keep-going]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "hours", required_argument, NULL, 'h' },
		{ "events", required_argument, NULL, 'e' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "trace", no_argument, NULL, 't' },
		{ "digests", no_argument, NULL, 'd' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	struct run r = { .opt = { .seed = 1, .budget = 60000 }, .seeds = 1, .jobs = 1 };
	const char *tmp = getenv("TMPDIR");
	int c, status;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': r.opt.seed = strtoull(optarg, NULL, 10); break;
		case 'n': r.seeds = strtoull(optarg, NULL, 10); break;
		case 'h':
			r.hours = strtod(optarg, NULL);
			r.seeds = 0;
			break;
		case 'e': r.opt.budget = strtoull(optarg, NULL, 10); break;
		case 'j': r.jobs = (unsigned int)strtoul(optarg, NULL, 10); break;
		case 't': r.opt.trace = true; break;
		case 'd': r.digests = true; break;
		case 'q': r.quiet = true; break;
		case 'k': r.keep_going = true; break;
		default: return usage();
		}
	}
	if (optind != argc || r.jobs == 0 || r.jobs > JOBS_MAX)
		return usage();
	snprintf(r.dir, sizeof(r.dir), "%s/sipsteer-sim-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(r.dir) == NULL)
		return 2;
	ctl_log_level(LOG_CRIT);
	status = run(&r);
	rmdir(r.dir);
	return status;
}
