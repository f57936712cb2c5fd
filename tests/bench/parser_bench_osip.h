/*
 * libosip2's parser, in a file of its own: it has names that ours has too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Once, before the first message. */
void parser_bench_osip_init(void);

/** Parse a message and forget it; what libosip2 says of it, 0 being good. */
long parser_bench_osip(const uint8_t *bytes, size_t len);
