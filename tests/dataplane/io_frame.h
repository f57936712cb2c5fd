/*
 * Frames for tests, built and judged without the code under test: checksums are summed byte by byte
 * here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** What a frame is made of; addresses as text, IPv4 or IPv6. */
struct io_frame {
	const char *src, *dst;
	uint16_t sport, dport;
	const void *payload;
	size_t payload_len;
	uint8_t tclass;
	int no_udp_sum; /* leave the UDP checksum 0 */
};

/** Build it. @return its length; aborts the test when out has no room. */
size_t io_frame_build(const struct io_frame *f, uint8_t *out, size_t out_size);

/** The Internet checksum field (network order, as a number) over two pieces. */
uint16_t io_checksum(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/** Whether an IP packet's header checksum (IPv4) and UDP checksum are right. */
int io_sums_right(const uint8_t *ip, size_t len);
