#include "control/pair/ctl_state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "control/base/ctl_log.h"

#define VERSION  1
#define MAX_SIZE (64l << 20)

struct ctl_state {
	size_t n;
	struct ctl_state_pair *pairs; /* sorted by name */
};

/* ---- Freeing */

static void fini_pair(struct ctl_state_pair *p)
{
	for (size_t i = 0; i < p->n_members; i++)
		free(p->members[i].name);
	free(p->members);
	free(p->name);
	free(p->active);
}

void ctl_state_free(struct ctl_state *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		fini_pair(&s->pairs[i]);
	free(s->pairs);
	free(s);
}

/* ---- Parsing */

static uint64_t time_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static int parse_member(struct ctl_state_member *m, const char *name, const json_t *o, char *why)
{
	if (!json_is_object(o)) {
		snprintf(why, 256, "member \"%s\" is no object", name);
		return -EINVAL;
	}
	m->name = strdup(name);
	m->draining = json_is_true(json_object_get(o, "draining"));
	m->disabled = json_is_true(json_object_get(o, "disabled"));
	m->left_us = time_of(o, "left");
	return m->name != NULL ? 0 : -ENOMEM;
}

static int parse_members(struct ctl_state_pair *p, json_t *members, char *why)
{
	const char *name;
	json_t *o;
	int err = 0;

	if (members == NULL)
		return 0;
	if (!json_is_object(members)) {
		snprintf(why, 256, "pair \"%s\": \"members\" is no object", p->name);
		return -EINVAL;
	}
	p->members = calloc(json_object_size(members) + 1, sizeof(*p->members));
	if (p->members == NULL)
		return -ENOMEM;
	json_object_foreach(members, name, o)
	{
		if (err == 0)
			err = parse_member(&p->members[p->n_members++], name, o, why);
	}
	return err;
}

static int parse_pair(struct ctl_state_pair *p, const char *name, const json_t *o, char *why)
{
	const char *active = json_string_value(json_object_get(o, "active"));

	p->name = strdup(name);
	if (p->name == NULL)
		return -ENOMEM;
	if (!json_is_object(o)) {
		snprintf(why, 256, "pair \"%s\" is no object", name);
		return -EINVAL;
	}
	p->active = active != NULL ? strdup(active) : NULL;
	if (active != NULL && p->active == NULL)
		return -ENOMEM;
	p->pinned = json_is_true(json_object_get(o, "pinned"));
	p->manual = json_is_true(json_object_get(o, "manual"));
	p->flaps = (unsigned int)json_integer_value(json_object_get(o, "flaps"));
	p->returned_us = time_of(o, "returned");
	p->since_us = time_of(o, "since");
	p->failback_us = time_of(o, "failback");
	return parse_members(p, json_object_get(o, "members"), why);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ctl_state_pair *)a)->name,
		      ((const struct ctl_state_pair *)b)->name);
}

static int parse_pairs(struct ctl_state *s, json_t *pairs, char *why)
{
	const char *name;
	json_t *o;
	int err = 0;

	s->pairs = calloc(json_object_size(pairs) + 1, sizeof(*s->pairs));
	if (s->pairs == NULL)
		return -ENOMEM;
	json_object_foreach(pairs, name, o)
	{
		if (err == 0)
			err = parse_pair(&s->pairs[s->n++], name, o, why);
	}
	if (err == 0)
		qsort(s->pairs, s->n, sizeof(*s->pairs), by_name);
	return err;
}

struct ctl_state *ctl_state_parse(const char *text, size_t len, char *why)
{
	json_error_t e;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e), *pairs;
	struct ctl_state *s = NULL;

	if (root == NULL) {
		snprintf(why, 256, "line %d: %s", e.line, e.text);
		return NULL;
	}
	pairs = json_object_get(root, "pairs");
	if (json_integer_value(json_object_get(root, "version")) != VERSION)
		snprintf(why, 256, "\"version\" is not %d", VERSION);
	else if (!json_is_object(pairs))
		snprintf(why, 256, "\"pairs\" is no object");
	else if ((s = calloc(1, sizeof(*s))) == NULL)
		snprintf(why, 256, "out of memory");
	snprintf(why, s != NULL ? 256 : 0, "out of memory");
	if (s != NULL && parse_pairs(s, pairs, why) != 0) {
		ctl_state_free(s);
		s = NULL;
	}
	json_decref(root);
	return s;
}

const struct ctl_state_pair *ctl_state_find(const struct ctl_state *s, const char *name)
{
	const struct ctl_state_pair key = { .name = (char *)(uintptr_t)name };

	if (s == NULL || s->n == 0)
		return NULL;
	return bsearch(&key, s->pairs, s->n, sizeof(*s->pairs), by_name);
}

/* ---- Reading */

static char *read_whole(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long size;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
		size = MAX_SIZE + 1;
	errno = EFBIG;
	if (size <= MAX_SIZE)
		text = malloc((size_t)size + 1);
	if (text != NULL)
		*len = fread(text, 1, (size_t)size, f);
	fclose(f);
	return text;
}

struct ctl_state *ctl_state_read(const char *path)
{
	char why[256] = "", aside[PATH_MAX];
	size_t len = 0;
	char *text = read_whole(path, &len);
	struct ctl_state *s;

	if (text == NULL) {
		if (errno != ENOENT)
			ctl_log(LOG_WARNING, "state file %s: %s; going on without it", path,
				strerrordesc_np(errno));
		return NULL;
	}
	s = ctl_state_parse(text, len, why);
	free(text);
	if (s != NULL)
		return s;
	snprintf(aside, sizeof(aside), "%s.broken", path);
	if (rename(path, aside) == 0)
		ctl_log(LOG_ERR, "state file %s is broken (%s): kept as %s, going on without it",
			path, why, aside);
	else
		ctl_log(LOG_ERR, "state file %s is broken (%s): going on without it", path, why);
	return NULL;
}

/* ---- Building */

struct ctl_state_text {
	json_t *root, *pairs;
	bool failed;
};

struct ctl_state_text *ctl_state_text_new(void)
{
	struct ctl_state_text *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->pairs = json_object();
	t->root = json_pack("{s:i, s:O}", "version", VERSION, "pairs", t->pairs);
	t->failed = t->root == NULL;
	return t;
}

static json_t *member_json(const struct ctl_state_member *m)
{
	return json_pack("{s:b, s:b, s:I}", "draining", m->draining, "disabled", m->disabled,
			 "left", (json_int_t)m->left_us);
}

void ctl_state_text_pair(struct ctl_state_text *t, const struct ctl_state_pair *p)
{
	json_t *members, *o;

	if (t == NULL || t->failed)
		return;
	members = json_object();
	for (size_t i = 0; i < p->n_members; i++)
		t->failed |= json_object_set_new(members, p->members[i].name,
						 member_json(&p->members[i]))
			     != 0;
	o = json_pack("{s:s?, s:b, s:b, s:i, s:I, s:I, s:I, s:o}", "active", p->active, "pinned",
		      p->pinned, "manual", p->manual, "flaps", (int)p->flaps, "returned",
		      (json_int_t)p->returned_us, "since", (json_int_t)p->since_us, "failback",
		      (json_int_t)p->failback_us, "members", members);
	t->failed |= json_object_set_new(t->pairs, p->name, o) != 0;
}

char *ctl_state_text_end(struct ctl_state_text *t)
{
	char *text = NULL;

	if (t == NULL)
		return NULL;
	if (!t->failed)
		text = json_dumps(t->root, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(t->pairs);
	json_decref(t->root);
	free(t);
	return text;
}

/* ---- Writing */

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* The rename itself must reach the disk, too. */
static int sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, err = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		err = -errno;
	close(fd);
	return err;
}

int ctl_write_atomically(const char *path, const char *text, size_t len)
{
	char tmp[PATH_MAX];
	int fd, err;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, len);
	if (close(fd) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(tmp, path) != 0)
		err = -errno;
	if (err != 0) {
		unlink(tmp);
		return err;
	}
	return sync_directory(path);
}
