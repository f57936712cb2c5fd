/*
 * YAML text to a tree of nodes with lines, or the one error at which the parser stopped. libyaml
 * does the work.
 */
#pragma once

#include <stddef.h>
#include <yaml.h>

#include "control/config/ctl_config.h"

#define CTL_YAML_MAX (64u << 20) /* bytes of a file; the largest sensible one has about 30 MB */

/**
 * @param doc  Out: on success the caller ends it with yaml_document_delete(). It has a root.
 * @return     0, -EINVAL, -E2BIG or -ENOMEM, with an error in d.
 */
int ctl_yaml_load(const char *text, size_t len, yaml_document_t *doc, struct ctl_diag *d);

/**
 * Read a file whole.
 * @param text  Out: free() it; NUL-terminated behind *len bytes.
 * @return      0, or negative errno with an error in d.
 */
int ctl_file_read(const char *path, char **text, size_t *len, struct ctl_diag *d);
