/* What a reload changes, in names. Pure functions. */
#include <stdio.h>
#include <string.h>

#include "control/daemon/ctl_reload.h"

/* A thing of a model by index: its name. NULL: there is none. */
typedef const char *(*name_fn)(const struct ctl_model *m, size_t i, char *room, size_t size);

static const char *service_name(const struct ctl_model *m, size_t i, char *room, size_t size)
{
	(void)room;
	(void)size;
	return i < m->n_services ? m->services[i].name : NULL;
}

static const char *pair_name(const struct ctl_model *m, size_t i, char *room, size_t size)
{
	(void)room;
	(void)size;
	return i < m->n_pairs ? m->pairs[i].name : NULL;
}

/* Members counted through all pairs. */
static const char *member_name(const struct ctl_model *m, size_t i, char *room, size_t size)
{
	for (size_t p = 0; p < m->n_pairs; p++) {
		if (i < m->pairs[p].n_members) {
			snprintf(room, size, "%s/%s", m->pairs[p].name,
				 m->pairs[p].members[i].name);
			return room;
		}
		i -= m->pairs[p].n_members;
	}
	return NULL;
}

/* A set of names: an object with true for each. */
static json_t *set_of(const struct ctl_model *m, name_fn fn)
{
	json_t *set = json_object();
	char room[512];
	const char *name;

	for (size_t i = 0; (name = fn(m, i, room, sizeof(room))) != NULL; i++)
		json_object_set_new(set, name, json_true());
	return set;
}

/* The names of a that are not in b. */
static json_t *only_in(json_t *a, const json_t *b)
{
	json_t *names = json_array(), *v;
	const char *name;

	json_object_foreach(a, name, v)
	{
		if (!json_object_get(b, name))
			json_array_append_new(names, json_string(name));
	}
	return names;
}

static json_t *diff(const struct ctl_model *old, const struct ctl_model *new, name_fn fn)
{
	json_t *before = set_of(old, fn), *after = set_of(new, fn);
	json_t *d = json_pack("{s:o, s:o}", "added", only_in(after, before), "removed",
			      only_in(before, after));

	json_decref(before);
	json_decref(after);
	return d;
}

json_t *ctl_reload_diff(const struct ctl_model *old, const struct ctl_model *new)
{
	return json_pack("{s:o, s:o, s:o}", "services", diff(old, new, service_name), "pairs",
			 diff(old, new, pair_name), "members", diff(old, new, member_name));
}

json_t *ctl_diag_json(const struct ctl_diag *d)
{
	json_t *a = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(a,
				      json_pack("{s:i, s:b, s:s}", "line", (int)d->e[i].line,
						"error", (int)d->e[i].error, "text", d->e[i].text));
	return a;
}
