/*
 * Reads a torture message and makes of it what would be on the wire.
 */
#pragma once

#include "tests/sip/torture_table.h"

#define TORTURE_MAX 8192

/**
 * Load the message of a row: the file's bytes, changed as row->wire says.
 * @param out  Room for TORTURE_MAX bytes.
 * @return     Bytes of the message, or 0 when the file cannot be read or does not fit.
 */
size_t torture_load(const struct torture_row *row, uint8_t *out);

/** "forward", "400", "drop": the verdict as docs/TORTURE.md writes it. Borrowed until the next
 * call. */
const char *torture_verdict_text(const struct torture_row *row);
