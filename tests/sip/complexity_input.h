/*
 * Inputs of any size that could be costly for their bytes: a request whose one header, or whose
 * every header, repeats a unit until the size is reached.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** How many inputs there are. */
unsigned int complexity_inputs(void);

/**
 * Build the i-th input.
 * @param out   Room for size bytes.
 * @param name  Out: says what it is; borrowed until the next call.
 * @return      Its length, at most size and close to it.
 */
size_t complexity_input(unsigned int i, uint8_t *out, size_t size, const char **name);
