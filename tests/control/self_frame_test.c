/* The self-probe's frame, as the data plane's own classification and parser see it. */
#include "control/daemon/ctl_self_frame.h"

#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/io/dp_classify.h"
#include "tests/leaks.h"

TestSuite(self_frame, .fini = leaks_check);

Test(self_frame, it_is_a_sound_request_to_the_listener)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	static const char *const addresses[] = { "192.0.2.10", "2001:db8::10" };

	for (size_t i = 0; i < 2; i++) {
		struct dp_endpoint at = { .port = 5070, .transport = DP_UDP };
		uint8_t frame[CTL_SELF_FRAME_SIZE];
		static struct sip_msg m;
		struct dp_packet p;
		size_t len;

		cr_assert(dp_ip_parse(addresses[i], &at.ip) == 0);
		len = ctl_self_frame(frame, mac, &at, 61001, "self-0-1-abcdef");
		cr_expect(memcmp(frame, mac, 6) == 0 && memcmp(frame + 6, mac, 6) == 0);
		dp_classify(frame, len, &p);
		cr_assert(p.kind == DP_PACKET_UDP && p.reason == DP_REASON_N, "%s", addresses[i]);
		cr_expect(dp_classify_ip_sum(frame, &p) && dp_classify_udp_sum(frame, &p));
		cr_expect(dp_ip_equal(&p.dst.ip, &at.ip) && p.dst.port == 5070);
		cr_expect(dp_ip_equal(&p.src.ip, &at.ip) && p.src.port == 61001);
		cr_assert(sip_msg_parse(&m, frame + p.payload_off, p.payload_len) == SIP_OK);
		cr_expect(m.is_request && m.method == SIP_METHOD_OPTIONS);
		cr_expect(m.call_id.len == strlen("self-0-1-abcdef")
			  && memcmp(m.buf + m.call_id.off, "self-0-1-abcdef", m.call_id.len) == 0);
	}
}

Test(self_frame, the_longest_fits)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct dp_endpoint at = { .port = 65535, .transport = DP_UDP };
	uint8_t frame[CTL_SELF_FRAME_SIZE];
	char token[64];
	size_t len;

	memset(token, 'x', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	cr_assert(dp_ip_parse("2001:db8:1111:2222:3333:4444:5555:6666", &at.ip) == 0);
	len = ctl_self_frame(frame, mac, &at, 65535, token);
	cr_expect(len < CTL_SELF_FRAME_SIZE);
	cr_expect(memcmp(frame + len - 4, "\r\n\r\n", 4) == 0);
}
