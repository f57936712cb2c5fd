#include "tests/dataplane/io_frame.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint16_t io_checksum(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < a_len + b_len; i++) {
		uint32_t byte = i < a_len ? a[i] : b[i - a_len];

		sum += i % 2 ? byte : byte << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)~sum;
}

/* The pseudo-header of an IP packet. Returns its length. */
static size_t pseudo(const uint8_t *ip, size_t udp_len, uint8_t *out)
{
	size_t n = ip[0] >> 4 == 4 ? 4 : 16, at = ip[0] >> 4 == 4 ? 12 : 8;

	memcpy(out, ip + at, 2 * n);
	memset(out + 2 * n, 0, 8);
	put16(out + 2 * n + 2, udp_len);
	out[2 * n + 7] = 17;
	return 2 * n + 8;
}

size_t io_frame_build(const struct io_frame *f, uint8_t *out, size_t out_size)
{
	static const uint8_t ether[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	int v4 = strchr(f->src, ':') == NULL;
	size_t header = v4 ? 20 : 40, udp_len = 8 + f->payload_len, len = 14 + header + udp_len;
	uint8_t *ip = out + 14, *udp = ip + header, ph[48];

	cr_assert_leq(len, out_size);
	memset(out, 0, len);
	memcpy(out, ether, sizeof(ether));
	put16(out + 12, v4 ? 0x0800 : 0x86dd);
	if (v4) {
		ip[0] = 0x45;
		ip[1] = f->tclass;
		put16(ip + 2, header + udp_len);
		put16(ip + 4, 0x1234);
		ip[8] = 61;
		ip[9] = 17;
		cr_assert_eq(inet_pton(AF_INET, f->src, ip + 12), 1);
		cr_assert_eq(inet_pton(AF_INET, f->dst, ip + 16), 1);
		put16(ip + 10, io_checksum(ip, header, NULL, 0));
	} else {
		put16(ip, (size_t)0x6000 | (size_t)f->tclass << 4);
		put16(ip + 4, udp_len);
		ip[6] = 17;
		ip[7] = 61;
		cr_assert_eq(inet_pton(AF_INET6, f->src, ip + 8), 1);
		cr_assert_eq(inet_pton(AF_INET6, f->dst, ip + 24), 1);
	}
	put16(udp, f->sport);
	put16(udp + 2, f->dport);
	put16(udp + 4, udp_len);
	if (f->payload_len)
		memcpy(udp + 8, f->payload, f->payload_len);
	if (!f->no_udp_sum) {
		uint16_t sum = io_checksum(ph, pseudo(ip, udp_len, ph), udp, udp_len);

		put16(udp + 6, sum ? sum : 0xffff);
	}
	return len;
}

int io_sums_right(const uint8_t *ip, size_t len)
{
	size_t header = ip[0] >> 4 == 4 ? (size_t)(ip[0] & 15) * 4 : 40;
	uint8_t ph[48];

	if (ip[0] >> 4 == 4 && io_checksum(ip, header, NULL, 0) != 0)
		return 0;
	return io_checksum(ph, pseudo(ip, len - header, ph), ip + header, len - header) == 0;
}
