#include "tests/control/pairs_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Probes */

struct probe {
	struct ctl_timer timer; /* first */
	struct world *w;
	ctl_probe_cb cb;
	void *arg;
	struct ctl_probe_result result;
};

struct target {
	uint16_t port;
};

static uint64_t now(void *arg)
{
	return ((struct world *)arg)->now_us;
}

static uint64_t wall(void *arg)
{
	return ((struct world *)arg)->wall_us + ((struct world *)arg)->now_us;
}

static void *target_new(void *arg, const struct ctl_target_params *params)
{
	struct target *t = calloc(1, sizeof(*t));

	((struct world *)arg)->n_targets++;
	((struct world *)arg)->n_made++;
	((struct world *)arg)->made = *params;
	((struct world *)arg)->lost[(params->at.port - 5060u) % WORLD_PORTS] = params->lost;
	((struct world *)arg)->lost_arg[(params->at.port - 5060u) % WORLD_PORTS] = params->lost_arg;
	t->port = params->at.port;
	return t;
}

static void target_free(void *arg, void *target)
{
	((struct world *)arg)->n_targets--;
	free(target);
}

static void on_answer(struct ctl_timer *timer, uint64_t now_us)
{
	struct probe *p = (struct probe *)timer;
	struct probe copy = *p;

	(void)now_us;
	p->w->n_probes--;
	free(p);
	copy.cb(copy.arg, &copy.result);
}

static void *send_probe(void *arg, void *target, const struct ctl_pair_send *order, ctl_probe_cb cb,
			void *cb_arg)
{
	struct world *w = arg;
	unsigned int i = ((struct target *)target)->port - 5060u;
	struct probe *p = calloc(1, sizeof(*p));

	(void)order;
	cr_assert_lt(i, WORLD_PORTS);
	w->n_sent[i]++;
	w->n_probes++;
	p->w = w;
	p->cb = cb;
	p->arg = cb_arg;
	p->timer.fire = on_answer;
	p->result =
		(struct ctl_probe_result){ .answered = true, .code = w->code[i], .rtt_us = 1000 };
	if (w->mood[i] == WORLD_ICMP)
		p->result =
			(struct ctl_probe_result){ .code = CTL_ERROR_ICMP, .detail = 3 << 8 | 3 };
	if (w->mood[i] != WORLD_DEAD)
		ctl_timer_set(&w->timers, &p->timer, w->now_us + MS);
	return p;
}

static void cancel_probe(void *arg, void *probe)
{
	struct world *w = arg;
	struct probe *p = probe;

	ctl_timer_cancel(&w->timers, &p->timer);
	w->n_probes--;
	free(p);
}

/* ---- Life */

static void set_word(void *arg, unsigned int pair, uint64_t word)
{
	struct world *w = arg;

	w->n_words++;
	w->words[pair] = word;
}

void world_init(struct world *w, const char *state_file)
{
	memset(w, 0, sizeof(*w));
	w->now_us = 5000 * SEC;
	w->wall_us = 1700000000 * SEC;
	for (unsigned int i = 0; i < WORLD_PORTS; i++)
		w->code[i] = 200;
	w->state_file = state_file != NULL ? strdup(state_file) : NULL;
	w->numbers = ctl_numbers_new();
	world_start(w);
}

void world_start(struct world *w)
{
	const struct ctl_pairs_io io = {
		.timers = &w->timers,
		.now_us = now,
		.wall_us = wall,
		.target_new = target_new,
		.target_free = target_free,
		.send = send_probe,
		.cancel = cancel_probe,
		.arg = w,
	};

	w->history = ctl_history_new(100, 1000);
	const struct ctl_pairs_params params = {
		.history = w->history,
		.state_file = w->state_file,
		.set_word = set_word,
		.arg = w,
		.trials = w->trials,
	};

	w->ps = ctl_pairs_new_io(&params, &io);
	cr_assert_not_null(w->ps);
}

void world_stop(struct world *w)
{
	ctl_pairs_free(w->ps);
	ctl_history_free(w->history);
	w->ps = NULL;
	cr_expect_eq(w->n_probes, 0, "%u probes outlive the runtime", w->n_probes);
	cr_expect_eq(w->n_targets, 0, "%u targets outlive the runtime", w->n_targets);
	cr_expect_eq(ctl_timers_next(&w->timers), 0, "a timer outlives the runtime");
}

static void model_free(struct ctl_model *m)
{
	for (size_t i = 0; m != NULL && i < m->n_pairs; i++) {
		for (size_t j = 0; j < m->pairs[i].n_members; j++) {
			free(m->pairs[i].members[j].name);
			free(m->pairs[i].members[j].host);
		}
		free(m->pairs[i].members);
		free(m->pairs[i].name);
	}
	if (m != NULL) {
		free(m->pairs);
		free(m->pairs_by_name);
	}
	free(m);
}

void world_fini(struct world *w)
{
	if (w->ps != NULL)
		world_stop(w);
	model_free(w->model);
	ctl_numbers_free(w->numbers);
	free(w->state_file);
	world_pair(NULL, NULL);
	world_last_event(NULL, NULL);
}

void world_run(struct world *w, uint64_t us)
{
	uint64_t until = w->now_us + us, next;

	while ((next = ctl_timers_next(&w->timers)) != 0 && next <= until) {
		if (next > w->now_us)
			w->now_us = next;
		ctl_timers_run(&w->timers, w->now_us);
	}
	w->now_us = until;
}

/* ---- Models */

static void read_member(struct ctl_pair *p, const char *text)
{
	struct ctl_member *m = &p->members[p->n_members];
	char name[32], host[32];
	unsigned int port;

	cr_assert_eq(sscanf(text, "%31[^:]:%u", name, &port), 2, "%s", text);
	snprintf(host, sizeof(host), "192.0.2.1");
	m->name = strdup(name);
	m->host = strdup(host);
	m->role = p->n_members < 2 ? (enum dp_role)p->n_members : DP_ROLE_FALLBACK;
	m->methods = UINT32_MAX;
	m->at.port = (uint16_t)port;
	cr_assert_eq(dp_ip_parse(host, &m->at.ip), 0);
	p->n_members++;
}

static void read_pair(struct ctl_pair *p, char *text)
{
	char *eq = strchr(text, '='), *save;

	*eq = '\0';
	p->name = strdup(text);
	p->weight = 1;
	p->members = calloc(DP_PAIR_MEMBERS, sizeof(*p->members));
	p->set = (struct ctl_pair_settings){
		.oos_check_ms = 1000,
		.oos_force_ms = 1000,
		.fall = 1,
		.rise = 1,
		.probe_all = true,
		.unavailable_codes = { 408, 503 },
		.n_unavailable_codes = 2,
		.failback_interval_ms = 1800000,
		.failback_hold_ms = 10000,
		.probe_max_forwards = 70,
	};
	for (char *m = strtok_r(eq + 1, ",", &save); m != NULL; m = strtok_r(NULL, ",", &save))
		read_member(p, m);
}

static const struct ctl_model *sorting;

static int by_name(const void *a, const void *b)
{
	return strcmp(sorting->pairs[*(const unsigned int *)a].name,
		      sorting->pairs[*(const unsigned int *)b].name);
}

struct ctl_model *world_model(const char *text)
{
	struct ctl_model *m = calloc(1, sizeof(*m));
	char *copy = strdup(text), *save;

	m->pairs = calloc(32, sizeof(*m->pairs));
	m->pairs_by_name = calloc(32, sizeof(*m->pairs_by_name));
	for (char *p = strtok_r(copy, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save)) {
		m->pairs_by_name[m->n_pairs] = (unsigned int)m->n_pairs;
		read_pair(&m->pairs[m->n_pairs++], p);
	}
	free(copy);
	sorting = m;
	qsort(m->pairs_by_name, m->n_pairs, sizeof(*m->pairs_by_name), by_name);
	return m;
}

void world_apply(struct world *w, const char *text, bool adopt)
{
	struct ctl_model *m = world_model(text);

	for (size_t i = 0; i < m->n_pairs; i++) {
		m->pairs[i].set.failback = w->failback;
		m->pairs[i].set.gray_failover = w->gray_failover;
		if (w->vary != NULL)
			w->vary(&m->pairs[i]);
	}
	ctl_pairs_retire(w->ps, m);
	cr_assert_eq(ctl_numbers_assign(w->numbers, m, w->now_us / 1000), 0);
	cr_assert_eq(ctl_pairs_apply(w->ps, m, w->numbers, adopt ? w->words : NULL), 0);
	model_free(w->model);
	w->model = m;
}

/* ---- Looking */

const json_t *world_pair(struct world *w, const char *name)
{
	static json_t *last;

	json_decref(last);
	last = w != NULL ? ctl_pair_json(w->ps, name) : NULL;
	return last;
}

const char *world_state(struct world *w, const char *name)
{
	return json_string_value(json_object_get(world_pair(w, name), "state"));
}

const char *world_active(struct world *w, const char *name)
{
	const char *active = json_string_value(json_object_get(world_pair(w, name), "active"));

	return active != NULL ? active : "(none)";
}

uint64_t world_word(struct world *w, const char *name)
{
	int n = ctl_numbers_pair(w->numbers, name);

	cr_assert_geq(n, 0);
	return w->words[n];
}

const json_t *world_last_event(struct world *w, const char *pair)
{
	static json_t *all;
	size_t n;

	json_decref(all);
	all = w != NULL ? ctl_history_json(w->history, NULL) : NULL;
	n = json_array_size(all);
	while (n-- > 0) {
		const json_t *e = json_array_get(all, n);
		const char *name = json_string_value(json_object_get(e, "pair"));

		if (pair == NULL
			    ? name == NULL
			    : strcmp(pair, "*") == 0 || (name != NULL && strcmp(name, pair) == 0))
			return e;
	}
	return NULL;
}
