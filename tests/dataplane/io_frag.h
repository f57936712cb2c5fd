/*
 * Fragments for tests, cut without the code under test.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Cut one fragment out of a frame that io_frame_build() made.
 * @param off  Of its data, in bytes behind the IP header.
 * @param out  Room for the frame and 8 bytes more.
 * @return the fragment's length, Ethernet header included.
 */
size_t io_frag_cut(const uint8_t *frame, size_t off, size_t len, int more, uint32_t id,
		   uint8_t *out);
