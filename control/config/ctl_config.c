/*
 * From a file to a model: text, tree, values, checks. Control thread.
 */
#include "control/config/ctl_config.h"

#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_check.h"
#include "control/config/ctl_read.h"
#include "control/config/ctl_yaml.h"

static struct ctl_model *model_new(const char *name)
{
	struct ctl_model *m = calloc(1, sizeof(*m));
	size_t size = strlen(name) + 1;

	if (!m)
		return NULL;
	m->path = malloc(size);
	if (!m->path) {
		free(m);
		return NULL;
	}
	memcpy(m->path, name, size);
	return m;
}

struct ctl_model *ctl_config_load_text(const char *name, const char *text, size_t len,
				       struct ctl_diag *d)
{
	struct ctl_model *m;
	yaml_document_t doc;

	if (ctl_yaml_load(text, len, &doc, d) < 0)
		return NULL;
	m = model_new(name);
	if (m) {
		ctl_read_model(&doc, m, d);
		ctl_check_model(m, d);
	} else {
		ctl_diag_add(d, true, 0, "out of memory");
	}
	yaml_document_delete(&doc);
	if (m && d->n_errors) {
		ctl_model_free(m);
		m = NULL;
	}
	return m;
}

struct ctl_model *ctl_config_load(const char *path, struct ctl_diag *d)
{
	struct ctl_model *m;
	char *text;
	size_t len;

	if (ctl_file_read(path, &text, &len, d) < 0)
		return NULL;
	m = ctl_config_load_text(path, text, len, d);
	free(text);
	return m;
}
