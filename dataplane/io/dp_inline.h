/*
 * What is in one piece with the way of every message, and what is seldom and kept out of that way,
 * which would pay for it with registers to save.
 */
#pragma once

#define HOT  static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline, cold))
