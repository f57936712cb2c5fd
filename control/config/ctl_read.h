/*
 * The document to a model, row by row of the schema: types, ranges, unknown, double and missing
 * keys, defaults. What two values together must not be is ctl_check.h's.
 */
#pragma once

#include <yaml.h>

#include "control/config/ctl_config.h"

/**
 * Fill a zeroed model. Whatever could not be read has its default, so that the checks can go on.
 * Errors go to d; also on errors the model can be freed with ctl_model_free().
 */
void ctl_read_model(yaml_document_t *doc, struct ctl_model *m, struct ctl_diag *d);
