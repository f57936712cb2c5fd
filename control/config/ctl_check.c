/*
 * The order of the checks, names, and what concerns the file as a whole.
 */
#include "control/config/ctl_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config/ctl_schema.h"
#include "control/config/ctl_types.h"

int ctl_own_port(const struct ctl_model *m, const struct sip_ip *ip)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		for (size_t k = 0; k < m->ports[i].n_addresses; k++) {
			if (dp_ip_equal(&m->ports[i].addresses[k].ip, ip))
				return (int)i;
		}
	}
	return -ENOENT;
}

const char *ctl_endpoint_format(const struct dp_endpoint *at, char text[CTL_ENDPOINT_SIZE])
{
	char ip[46];

	dp_ip_format(&at->ip, ip);
	snprintf(text, CTL_ENDPOINT_SIZE, dp_ip_is_v4(&at->ip) ? "%s:%u" : "[%s]:%u", ip, at->port);
	return text;
}

/* ---- Names */

struct named {
	const char *name;
	uint32_t key;
	unsigned int line;
	unsigned int index;
};

static int by_key(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int names;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	names = strcmp(x->name, y->name);
	return names ? names : (x->line > y->line) - (x->line < y->line);
}

static void add_named(struct named *v, size_t *n, const char *name, unsigned int line, size_t index)
{
	if (name)
		v[(*n)++] = (struct named){ name, dp_key(name, strlen(name)), line,
					    (unsigned int)index };
}

/* Two of one kind must not have one name, nor two names one key: cookies and branches hold keys. */
static void check_unique(const char *what, struct named *v, size_t n, struct ctl_diag *d)
{
	qsort(v, n, sizeof(*v), by_key);
	for (size_t i = 1; i < n; i++) {
		if (v[i].key != v[i - 1].key)
			continue;
		if (strcmp(v[i].name, v[i - 1].name) == 0)
			ctl_diag_add(d, true, v[i].line,
				     "%s \"%s\": there is one of this name in line %u already; "
				     "give it another",
				     what, v[i].name, v[i - 1].line);
		else
			ctl_diag_add(d, true, v[i].line,
				     "%s \"%s\": its key, made of the name, is the same as that "
				     "of \"%s\" in line %u; rename one of them",
				     what, v[i].name, v[i - 1].name, v[i - 1].line);
	}
}

static void check_member_names(const struct ctl_pair *p, struct ctl_diag *d)
{
	struct named v[DP_PAIR_MEMBERS];
	size_t n = 0;

	for (size_t i = 0; i < p->n_members; i++)
		add_named(v, &n, p->members[i].name,
			  ctl_map_line(&ctl_map_member, &p->members[i], "name"), i);
	check_unique("member", v, n, d);
}

static int by_name(const void *a, const void *b, void *model)
{
	const struct ctl_model *m = model;
	const char *x = m->pairs[*(const unsigned int *)a].name;
	const char *y = m->pairs[*(const unsigned int *)b].name;

	return strcmp(x ? x : "", y ? y : "");
}

static int index_pairs(struct ctl_model *m)
{
	m->pairs_by_name = calloc(m->n_pairs + 1, sizeof(*m->pairs_by_name));
	if (!m->pairs_by_name)
		return -ENOMEM;
	for (unsigned int i = 0; i < m->n_pairs; i++)
		m->pairs_by_name[i] = i;
	qsort_r(m->pairs_by_name, m->n_pairs, sizeof(*m->pairs_by_name), by_name, m);
	return 0;
}

int ctl_check_names(struct ctl_model *m, struct ctl_diag *d)
{
	size_t most = m->n_pairs + m->n_services + m->n_ports + 1, n = 0;
	struct named *v = calloc(most, sizeof(*v));

	if (!v || index_pairs(m) < 0) {
		free(v);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->n_pairs; i++)
		add_named(v, &n, m->pairs[i].name,
			  ctl_map_line(&ctl_map_pair, &m->pairs[i], "name"), i);
	check_unique("pair", v, n, d);
	n = 0;
	for (size_t i = 0; i < m->n_services; i++)
		add_named(v, &n, m->services[i].name,
			  ctl_map_line(&ctl_map_service, &m->services[i], "name"), i);
	check_unique("service", v, n, d);
	n = 0;
	for (size_t i = 0; i < m->n_ports; i++)
		add_named(v, &n, m->ports[i].name,
			  ctl_map_line(&ctl_map_port, &m->ports[i], "name"), i);
	check_unique("port", v, n, d);
	for (size_t i = 0; i < m->n_pairs; i++)
		check_member_names(&m->pairs[i], d);
	free(v);
	return 0;
}

/* ---- The whole */

static void check_paths(const struct ctl_model *m, struct ctl_diag *d)
{
	static const char *const keys[] = { "control-socket", "state-file", "key-file" };
	const char *const paths[] = { m->control_socket, m->state_file, m->key_file };

	for (size_t i = 1; i < 3; i++) {
		for (size_t k = 0; k < i; k++) {
			if (paths[i] && paths[k] && strcmp(paths[i], paths[k]) == 0)
				ctl_diag_add(d, true, ctl_map_line(&ctl_map_global, m, keys[i]),
					     "%s: \"%s\" is the %s too; each needs a file of its "
					     "own",
					     keys[i], paths[i], keys[k]);
		}
	}
}

static void check_workers(const struct ctl_model *m, struct ctl_diag *d)
{
	unsigned int n_cpus = m->worker_cpus ? ctl_cpus_count(m->worker_cpus) : 0;

	if (n_cpus && n_cpus < m->workers)
		ctl_diag_add(d, true, ctl_map_line(&ctl_map_global, m, "worker-cpus"),
			     "worker-cpus: \"%s\" names %u for %u workers; each needs one of its "
			     "own",
			     m->worker_cpus, n_cpus, m->workers);
}

/* The host's name, with what a name must not have replaced. */
static int name_instance(struct ctl_model *m)
{
	char name[64] = "";

	if (m->instance)
		return 0;
	if (gethostname(name, sizeof(name) - 1) < 0 || !name[0])
		strcpy(name, "sipsteer");
	m->instance = calloc(1, sizeof(name));
	if (!m->instance)
		return -ENOMEM;
	for (size_t i = 0; name[i]; i++)
		m->instance[i] = strchr(" \t/:\"\\", name[i]) ? '-' : name[i];
	return 0;
}

void ctl_check_global(struct ctl_model *m, struct ctl_diag *d)
{
	check_paths(m, d);
	check_workers(m, d);
}

int ctl_check_model(struct ctl_model *m, struct ctl_diag *d)
{
	int ret = name_instance(m);

	ctl_check_global(m, d);
	ctl_check_ports(m, d);
	for (size_t i = 0; i < m->n_pairs; i++)
		ctl_check_pair(m, &m->pairs[i], d);
	if (ret == 0)
		ret = ctl_check_names(m, d);
	if (ret == 0)
		ret = ctl_check_services(m, d);
	if (ret == 0)
		ret = ctl_check_endpoints(m, d);
	if (ret == 0)
		ret = ctl_check_sources(m, d);
	if (ret < 0)
		ctl_diag_add(d, true, 0, "out of memory");
	/* What is missing in a broken file is perhaps only misspelt. */
	if (d->n_errors == 0)
		ctl_check_advise(m, d);
	return ret;
}
