/*
 * What the libFuzzer targets share. A finding is a failed assert() or what the sanitizers see.
 */
#pragma once

#include "sip/sip_uri.h"

#include <stddef.h>
#include <stdint.h>

/** libFuzzer's entry point; each target has one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Whether a span is empty or lies within the first len bytes. */
bool fuzz_within(struct sip_span s, size_t len);

/** Whether `inner` is empty or lies within `outer`. */
bool fuzz_inside(struct sip_span inner, struct sip_span outer);

/**
 * Walk all that a parsed message offers and check that it hangs together: spans within the bytes,
 * headers in order and without gaps, the first header of each id the first one, lists that end.
 */
void fuzz_walk(const struct sip_msg *m, enum sip_result result, size_t len);

/** Check one decoded Via against the bytes that it was decoded from. */
void fuzz_check_via(const struct sip_msg *m, const struct sip_via *via);

/** Check one decoded name-addr, and its URI where that is one. */
void fuzz_check_addr(const uint8_t *buf, size_t len, const struct sip_addr *addr);

/** Check what sip_uri_parse() made of a span, put together again. */
void fuzz_check_uri(const uint8_t *buf, struct sip_span s);
