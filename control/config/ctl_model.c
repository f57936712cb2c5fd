/*
 * A model's end, and looking into it. What a model owns is known from the schema's rows, but for
 * what the checks derive: the services' pairs and the order of names.
 */
#include "control/config/ctl_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_schema.h"

/* A view's own: arrays of members and their names. Other strings belong to the model. */
static void view_free(struct ctl_model *m)
{
	for (size_t i = 0; i < m->n_pairs; i++) {
		struct ctl_pair *p = &m->pairs[i];

		if (p->members == m->of->pairs[i].members)
			continue;
		for (size_t k = 0; k < p->n_members; k++)
			free(p->members[k].name);
		free(p->members);
	}
	free(m->pairs);
	ctl_model_free(m->of);
	free(m);
}

void ctl_model_free(struct ctl_model *m)
{
	if (!m)
		return;
	if (m->refs > 0) {
		m->refs--;
		return;
	}
	if (m->of) {
		view_free(m);
		return;
	}
	for (size_t i = 0; i < m->n_services; i++)
		free(m->services[i].pairs);
	ctl_map_fini(&ctl_map_global, m);
	free(m->pairs_by_name);
	free(m->path);
	free(m);
}

int ctl_model_find_pair(const struct ctl_model *m, const char *name)
{
	size_t low = 0, high = m->n_pairs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		unsigned int i = m->pairs_by_name[middle];
		int order = strcmp(name, m->pairs[i].name ? m->pairs[i].name : "");

		if (order == 0)
			return (int)i;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

struct dp_endpoint ctl_model_probe_at(const struct ctl_pair *p, const struct ctl_member *m)
{
	struct dp_endpoint at = m->at;

	if (p->set.probe_transport)
		at.transport = (uint8_t)(p->set.probe_transport - 1);
	if (p->set.probe_port)
		at.port = p->set.probe_port;
	else if (at.transport == CTL_TLS && m->at.transport != CTL_TLS)
		at.port = 5061;
	return at;
}
