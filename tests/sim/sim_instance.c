/*
 * One instance: its life, and the wrapper between the real runtime and the real prober, through
 * which the referee sees every probe.
 */
#include "tests/sim/sim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/** A target as the runtime has it. */
struct target {
	struct ctl_target *real;
	unsigned int pair, host;
};

/* ---- Between runtime and prober */

static uint64_t now_us(void *arg)
{
	return sim_mono(arg);
}

static uint64_t wall_us(void *arg)
{
	return sim_mono(arg) + ((struct sim_instance *)arg)->wall_us;
}

static void *target_new(void *arg, const struct ctl_target_params *params)
{
	struct sim_instance *in = arg;
	struct target *t = calloc(1, sizeof(*t));

	t->real = ctl_target_new(in->prober, params);
	t->pair = params->at.ip.b[14];
	t->host = params->at.ip.b[15];
	return t;
}

static void target_free(void *arg, void *target)
{
	(void)arg;
	ctl_target_free(((struct target *)target)->real);
	free(target);
}

static void forget(struct sim_probe *pr)
{
	struct sim_probe **at = &pr->in->probes;

	while (*at != pr)
		at = &(*at)->next;
	*at = pr->next;
	free(pr);
}

static void on_result(void *arg, const struct ctl_probe_result *r)
{
	struct sim_probe *pr = arg;
	ctl_probe_cb cb = pr->cb;
	void *cb_arg = pr->arg;

	sim_seen_result(pr, r);
	forget(pr);
	cb(cb_arg, r);
}

static void *send_probe(void *arg, void *target, const struct ctl_pair_send *order, ctl_probe_cb cb,
			void *cb_arg)
{
	struct sim_instance *in = arg;
	struct target *t = target;
	struct sim_probe *pr = calloc(1, sizeof(*pr));

	pr->in = in;
	pr->cb = cb;
	pr->arg = cb_arg;
	pr->order = *order;
	pr->pair = t->pair;
	pr->host = t->host;
	pr->sent_us = sim_mono(in);
	pr->next = in->probes;
	in->probes = pr;
	in->sending = pr;
	in->w->stats.probes++;
	sim_seen_sent(pr);
	pr->real = ctl_probe_send(t->real, order, on_result, pr);
	in->sending = NULL;
	return pr;
}

static void cancel_probe(void *arg, void *probe)
{
	struct sim_probe *pr = probe;

	(void)arg;
	sim_seen_cancel(pr);
	ctl_probe_cancel(pr->real);
	forget(pr);
}

static const uint64_t *counts(void *arg)
{
	return ctl_prober_counts(((struct sim_instance *)arg)->prober);
}

static void set_word(void *arg, unsigned int number, uint64_t word)
{
	struct sim_instance *in = arg;

	in->words[number] = word;
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);

		if (rp != NULL && rp->number == number)
			sim_judge_word(in, p, word);
	}
}

/* ---- The disk: what stands in for control/pair/ctl_writer.c, whose thread knows no virtual time
 */

struct ctl_writer {
	struct sim_disk *disk;
};

static struct sim_disk *disk_of_next_writer;

struct ctl_writer *ctl_writer_new(const char *path)
{
	struct ctl_writer *wr = calloc(1, sizeof(*wr));

	(void)path;
	wr->disk = disk_of_next_writer;
	return wr;
}

void ctl_writer_put(struct ctl_writer *wr, char *text)
{
	if (wr->disk->frozen) {
		free(text);
		return;
	}
	free(wr->disk->text);
	wr->disk->text = text;
}

void ctl_writer_free(struct ctl_writer *wr)
{
	free(wr);
}

static void put_file(const struct sim_instance *in)
{
	const char *text = in->disk.text;
	size_t len = text != NULL ? strlen(text) : 0;
	int fd;

	unlink(in->disk.path);
	if (text == NULL)
		return;
	fd = open(in->disk.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* ---- Randomness of the instance's: what stands in for the kernel's */

static struct sim_rand kernel;

ssize_t getrandom(void *buf, size_t n, unsigned int flags)
{
	uint8_t *to = buf;

	(void)flags;
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)sim_rand_next(&kernel);
	return (ssize_t)n;
}

/* ---- Life */

static void make_prober(struct sim_instance *in)
{
	static bool seeded;

	if (!seeded)
		sim_rand_init(&kernel, in->w->opt.seed + 1);
	seeded = true;
	memset(&in->timers, 0, sizeof(in->timers));
	in->timers.now_us = now_us;
	in->timers.arg = in;
	/* The event base is only handed on to the socket's stand-in. */
	in->prober = ctl_prober_new((struct event_base *)in, &in->timers);
}

static void make_pairs(struct sim_instance *in)
{
	const struct ctl_pairs_io io = { .timers = &in->timers,
					 .now_us = now_us,
					 .wall_us = wall_us,
					 .target_new = target_new,
					 .target_free = target_free,
					 .send = send_probe,
					 .cancel = cancel_probe,
					 .counts = counts,
					 .arg = in };
	struct ctl_pairs_params params = {
		.state_file = in->disk.path, .set_word = set_word, .trials = in->trials, .arg = in
	};

	in->history = ctl_history_new(16, 64);
	params.history = in->history;
	ctl_history_follow(in->history, sim_judge_note, in);
	put_file(in);
	in->disk.frozen = false;
	disk_of_next_writer = &in->disk;
	in->ps = ctl_pairs_new_io(&params, &io);
	if (in->prober == NULL || in->ps == NULL)
		abort();
}

void sim_start(struct sim_instance *in, bool words)
{
	in->epoch++;
	in->up = true;
	in->quiet = true;
	in->busy_us = in->w->now_us;
	make_prober(in);
	make_pairs(in);
	if (in->model == NULL)
		in->model = sim_config(in->w);
	if (in->numbers == NULL)
		in->numbers = ctl_numbers_new();
	if (ctl_numbers_assign(in->numbers, in->model, sim_mono(in) / 1000) != 0
	    || ctl_pairs_apply(in->ps, in->model, in->numbers, words ? in->words : NULL) != 0)
		abort();
	for (unsigned int p = 0; p < SIM_PAIRS; p++)
		sim_book_adopt(in, p);
	in->quiet = false;
}

void sim_stop(struct sim_instance *in, bool killed)
{
	if (!in->up)
		return;
	in->quiet = true;
	if (in->paused)
		sim_pause(in, false);
	in->disk.frozen = killed;
	ctl_pairs_free(in->ps);
	in->ps = NULL;
	if (in->probes != NULL)
		sim_fail(in->w, in, SIM_PAIRS, "a probe outlives the runtime");
	if (in->timers.root != NULL)
		sim_fail(in->w, in, SIM_PAIRS, "a timer outlives the runtime");
	sim_net_forget(in);
	ctl_prober_free(in->prober);
	ctl_history_free(in->history);
	in->prober = NULL;
	ctl_model_free(in->next);
	in->next = NULL;
	in->up = false;
	if (in->w->healing && !killed) {
		ctl_model_free(in->model);
		ctl_numbers_free(in->numbers);
	}
}

void sim_run_timers(struct sim_instance *in)
{
	struct sim *w = in->w;

	ctl_timers_run(&in->timers, sim_mono(in));
	in->late_us = w->regime.late_us != 0 ? sim_below(&w->rand, w->regime.late_us) : 0;
}

/* As control/probe/ctl_clock.c does. */
void sim_pause(struct sim_instance *in, bool pause)
{
	if (pause == in->paused)
		return;
	if (pause) {
		in->paused_us = sim_mono(in);
		in->timers.stops++;
	} else {
		in->lag_us = in->base_us + in->w->now_us - in->paused_us;
	}
	in->timers.stopped = pause;
	in->paused = pause;
	sim_watch_restart(in);
}

/* ---- Reload, in the order of control/daemon/ctl_reload.c */

static void order_all(struct sim_instance *in, bool on)
{
	if (!on) {
		for (unsigned int p = 0; p < SIM_PAIRS; p++)
			sim_judge_end(in, p);
	}
	in->ordered = on ? ~0u : 0;
}

void sim_reload_begin(struct sim_instance *in)
{
	in->next = sim_config(in->w);
	order_all(in, true);
	if (ctl_numbers_assign(in->numbers, in->next, sim_mono(in) / 1000) != 0) {
		ctl_model_free(in->next);
		in->next = NULL;
	} else {
		ctl_pairs_retire(in->ps, in->next);
	}
	order_all(in, false);
	sim_watch_restart(in);
}

void sim_reload_end(struct sim_instance *in, bool undo)
{
	struct ctl_model *old = in->model;

	if (in->next == NULL)
		return;
	order_all(in, true);
	in->w->stats.reloads++;
	if (undo) {
		if (ctl_pairs_go_back(in->ps, old, in->numbers, sim_mono(in) / 1000, in->words)
		    != 0)
			abort();
		ctl_model_free(in->next);
	} else {
		if (ctl_pairs_apply(in->ps, in->next, in->numbers, in->words) != 0)
			abort();
		in->model = in->next;
		ctl_model_free(old);
	}
	in->next = NULL;
	order_all(in, false);
	sim_watch_reload(in);
}
