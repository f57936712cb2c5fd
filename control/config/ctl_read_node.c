/*
 * Nodes of the document: visiting within a budget, and telling them.
 */
#include "control/config/ctl_reader.h"

#include <stdio.h>
#include <string.h>

/* Without aliases no node is visited more than three times. */
#define VISITS_PER_NODE 8
#define VISITS_MORE     200000

unsigned int ctl_node_line(const yaml_node_t *n)
{
	return (unsigned int)n->start_mark.line + 1;
}

const char *ctl_node_kind(const yaml_node_t *n)
{
	switch (n->type) {
	case YAML_SEQUENCE_NODE: return "a list";
	case YAML_MAPPING_NODE: return "a mapping";
	default: return "a single value";
	}
}

size_t ctl_node_items(const yaml_node_t *n)
{
	return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
}

static void check_tag(struct ctl_reader *r, const yaml_node_t *n)
{
	const char *tag = (const char *)n->tag;

	if (tag && strncmp(tag, "tag:yaml.org,2002:", 18) != 0 && strcmp(tag, "!") != 0)
		ctl_diag_add(r->d, true, ctl_node_line(n),
			     "tag %.60s has no meaning here: remove it", tag);
}

static size_t budget(const yaml_document_t *doc)
{
	return VISITS_MORE + VISITS_PER_NODE * (size_t)(doc->nodes.top - doc->nodes.start);
}

const yaml_node_t *ctl_read_visit(struct ctl_reader *r, int id)
{
	const yaml_node_t *n;

	if (r->visits > budget(r->doc))
		return NULL;
	n = yaml_document_get_node(r->doc, id);
	if (++r->visits > budget(r->doc)) {
		ctl_diag_add(r->d, true, n ? ctl_node_line(n) : 0,
			     "aliases and merges blow the file up too far: write them out");
		return NULL;
	}
	if (n)
		check_tag(r, n);
	return n;
}

const yaml_node_t *ctl_read_element(struct ctl_reader *r, const yaml_node_t *n, size_t i)
{
	return ctl_read_visit(r, n->data.sequence.items.start[i]);
}

const char *ctl_read_shown(const struct ctl_key *key, const char *text, size_t len,
			   char out[CTL_SHOWN_SIZE])
{
	size_t n = len < CTL_SHOWN_SIZE - 6 ? len : CTL_SHOWN_SIZE - 6;

	if (key && (key->flags & CTL_SECRET))
		return "the value";
	while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a UTF-8 character */
	snprintf(out, CTL_SHOWN_SIZE, "\"%.*s%s\"", (int)n, text, n < len ? "..." : "");
	for (char *c = out; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return out;
}
