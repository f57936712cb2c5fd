/*
 * A good request around the value of one header, for the targets that look at a single header.
 */
#pragma once

#include "sip/sip_msg.h"

#define WRAP_EXTRA 256 /* bytes that the request has around the value */

/**
 * Write "NAME: VALUE" into an otherwise good request, before (Via) or after its other headers.
 * @param out   Room for value_len + WRAP_EXTRA bytes.
 * @param name  "Via" gives a request without a Via of its own.
 * @return      Its length.
 */
size_t wrap_value(uint8_t *out, const char *name, const uint8_t *value, size_t value_len);
