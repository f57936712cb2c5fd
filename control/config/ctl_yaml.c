/*
 * Two passes over the text: one that keeps nothing and bounds what the second, which builds the
 * tree, can cost. Control thread.
 */
#include "control/config/ctl_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX   32
#define ANCHORS_MAX 1000

/* ---- Syntax errors */

/** What libyaml says, and what it most often means. */
static const struct {
	const char *problem;
	const char *remedy;
} remedies[] = {
	{ "mapping values are not allowed in this context",
	  "indent this line like its neighbours, or quote a value that holds \": \"" },
	{ "did not find expected key", "indent this line like its neighbours" },
	{ "did not find expected '-' indicator", "indent this line like its neighbours" },
	{ "could not find expected ':'", "write \"key: value\"" },
	{ "did not find expected ',' or ']'", "close the list with ]" },
	{ "did not find expected ',' or '}'", "close the mapping with }" },
	{ "found unexpected end of stream", "close the quotes" },
	{ "found undefined alias", "define it before with &" },
	{ "did not find expected <document start>", "a file holds one document" },
};

static const char *remedy_for(const char *problem)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		if (strcmp(problem, remedies[i].problem) == 0)
			return remedies[i].remedy;
	}
	return NULL;
}

static const char *remedy_for_character(char c)
{
	switch (c) {
	case '\t': return "indent with spaces, YAML takes no tabs";
	case '@':
	case '`':
	case '%': return "quote a value that begins with this character";
	default: return NULL;
	}
}

static unsigned int line_of_offset(const char *text, size_t len, size_t offset)
{
	unsigned int line = 1;

	for (size_t i = 0; i < offset && i < len; i++)
		line += text[i] == '\n';
	return line;
}

static void add_reader_error(const yaml_parser_t *p, const char *text, size_t len,
			     struct ctl_diag *d)
{
	ctl_diag_add(d, true, line_of_offset(text, len, p->problem_offset),
		     "not readable as UTF-8 text: %s at byte %zu; write the file in UTF-8 without "
		     "control characters",
		     p->problem, p->problem_offset);
}

static void add_syntax_error(const yaml_parser_t *p, const char *text, size_t len,
			     struct ctl_diag *d)
{
	unsigned int line = (unsigned int)p->problem_mark.line + 1;
	const char *remedy = remedy_for(p->problem);
	char began[80] = "";

	if (strcmp(p->problem, "found character that cannot start any token") == 0
	    && p->problem_mark.index < len)
		remedy = remedy_for_character(text[p->problem_mark.index]);
	if (p->context && p->context_mark.line + 1 != line)
		snprintf(began, sizeof(began), ", in what began in line %zu",
			 p->context_mark.line + 1);
	ctl_diag_add(d, true, line, "no valid YAML: %s%s%s%s; nothing else has been checked",
		     p->problem, began, remedy ? ": " : "", remedy ? remedy : "");
}

static int add_parser_error(const yaml_parser_t *p, const char *text, size_t len,
			    struct ctl_diag *d)
{
	if (p->error == YAML_MEMORY_ERROR || !p->problem) {
		ctl_diag_add(d, true, 0, "out of memory");
		return -ENOMEM;
	}
	if (p->error == YAML_READER_ERROR)
		add_reader_error(p, text, len, d);
	else
		add_syntax_error(p, text, len, d);
	return -EINVAL;
}

/* ---- Bounds */

/* What the document's tree costs grows with the square of these. */
static int check_event(const yaml_event_t *e, unsigned int *depth, unsigned int *n_anchors,
		       struct ctl_diag *d)
{
	unsigned int line = (unsigned int)e->start_mark.line + 1;
	const yaml_char_t *anchor = NULL;

	if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.anchor
							      : e->data.mapping_start.anchor;
		++*depth;
	} else if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT) {
		--*depth;
	} else if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
	}
	*n_anchors += anchor != NULL;
	if (*depth > DEPTH_MAX)
		ctl_diag_add(d, true, line,
			     "lists and mappings more than %d deep in one another; nothing is that "
			     "deep here, close some of them",
			     DEPTH_MAX);
	else if (*n_anchors > ANCHORS_MAX)
		ctl_diag_add(d, true, line, "more than %d anchors; write the values out",
			     ANCHORS_MAX);
	return *depth > DEPTH_MAX || *n_anchors > ANCHORS_MAX ? -E2BIG : 0;
}

/* Reads the whole stream once without keeping it. */
static int check_bounds(yaml_parser_t *p, const char *text, size_t len, struct ctl_diag *d)
{
	unsigned int depth = 0, n_anchors = 0;
	yaml_event_type_t type = YAML_NO_EVENT;
	int ret = 0;

	while (ret == 0 && type != YAML_STREAM_END_EVENT) {
		yaml_event_t e;

		if (!yaml_parser_parse(p, &e))
			return add_parser_error(p, text, len, d);
		type = e.type;
		ret = check_event(&e, &depth, &n_anchors, d);
		yaml_event_delete(&e);
	}
	return ret;
}

/* ---- Documents */

/* Whatever follows the first document: nothing, an error, or a second document, which is one. */
static int check_end(yaml_parser_t *p, const char *text, size_t len, struct ctl_diag *d)
{
	yaml_document_t next;
	int ret = 0;

	if (!yaml_parser_load(p, &next))
		return add_parser_error(p, text, len, d);
	if (yaml_document_get_root_node(&next)) {
		ctl_diag_add(d, true, (unsigned int)next.start_mark.line + 1,
			     "a second document begins here: a file holds one");
		ret = -EINVAL;
	}
	yaml_document_delete(&next);
	return ret;
}

static int load(yaml_parser_t *p, const char *text, size_t len, yaml_document_t *doc,
		struct ctl_diag *d)
{
	int ret;

	if (!yaml_parser_load(p, doc))
		return add_parser_error(p, text, len, d);
	if (!yaml_document_get_root_node(doc)) {
		ctl_diag_add(d, true, 0,
			     "the file is empty: at least ports, services and pairs are needed");
		ret = -EINVAL;
	} else {
		ret = check_end(p, text, len, d);
	}
	if (ret < 0)
		yaml_document_delete(doc);
	return ret;
}

/* Runs one pass over the text with a parser of its own. doc NULL: the bounds. */
static int parse(const char *text, size_t len, yaml_document_t *doc, struct ctl_diag *d)
{
	yaml_parser_t parser;
	int ret;

	if (!yaml_parser_initialize(&parser)) {
		ctl_diag_add(d, true, 0, "out of memory");
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	ret = doc ? load(&parser, text, len, doc, d) : check_bounds(&parser, text, len, d);
	yaml_parser_delete(&parser);
	return ret;
}

int ctl_yaml_load(const char *text, size_t len, yaml_document_t *doc, struct ctl_diag *d)
{
	int ret;

	if (len > CTL_YAML_MAX) {
		ctl_diag_add(d, true, 0, "the file has %zu bytes, more than the %u that are taken",
			     len, CTL_YAML_MAX);
		return -E2BIG;
	}
	ret = parse(text, len, NULL, d);
	return ret < 0 ? ret : parse(text, len, doc, d);
}

/* ---- Files */

static int read_all(int fd, char *text, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, text + *len, size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	text[*len] = '\0';
	return 0;
}

static int read_open(int fd, char **text, size_t *len)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (st.st_size > (off_t)CTL_YAML_MAX)
		return -EFBIG;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	ret = read_all(fd, *text, (size_t)st.st_size, len);
	if (ret < 0) {
		free(*text);
		*text = NULL;
	}
	return ret;
}

int ctl_file_read(const char *path, char **text, size_t *len, struct ctl_diag *d)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	*text = NULL;
	ret = fd < 0 ? -errno : read_open(fd, text, len);
	if (fd >= 0)
		close(fd);
	if (ret == -ENOTSUP)
		ctl_diag_add(d, true, 0, "cannot be read: it is no regular file");
	else if (ret < 0)
		ctl_diag_add(d, true, 0, "cannot be read: %s", strerror(-ret));
	return ret;
}
