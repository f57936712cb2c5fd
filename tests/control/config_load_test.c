/*
 * A whole configuration: what the example becomes, with every default filled in.
 */
#include "control/config/ctl_config.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <syslog.h>

TestSuite(config_load, .fini = leaks_check);

static const struct dp_endpoint *must_be(const struct dp_endpoint *at, const char *ip, int port)
{
	struct sip_ip want;

	cr_assert_eq(dp_ip_parse(ip, &want), 0);
	cr_expect(dp_ip_equal(&at->ip, &want), "%s", ip);
	cr_expect_eq(at->port, port);
	cr_expect_eq(at->transport, DP_UDP);
	return at;
}

Test(config_load, example_top)
{
	struct ctl_model *m = config_good(config_example);

	cr_expect_str_eq(m->path, "test.yaml");
	cr_expect_str_eq(m->control_socket, "/run/sipsteer/control.sock");
	cr_expect_str_eq(m->state_file, "/var/lib/sipsteer/state.json");
	cr_expect_str_eq(m->key_file, "/etc/sipsteer/keys");
	cr_expect(m->instance && *m->instance, "the host's name");
	cr_expect_eq(m->workers, 1);
	cr_expect_str_eq(m->worker_cpus, "");
	cr_expect_eq(m->idle, DP_IDLE_ADAPTIVE);
	cr_expect_eq(m->verify_checksums, DP_CHECKSUMS_AUTO);
	cr_expect_eq(m->huge, 0);
	cr_expect_eq(m->memory_mb, 512);
	cr_expect_eq(m->n_mbufs, 32767);
	cr_expect_eq(m->n_records, 262144);
	cr_expect_eq(m->n_challenges, 65536);
	cr_expect_eq(m->record_hold_ms, 32000);
	cr_expect_eq(m->log_level, LOG_INFO);
	ctl_model_free(m);
}

Test(config_load, example_port)
{
	struct ctl_model *m = config_good(config_example);
	const struct ctl_port *p = &m->ports[0];

	cr_assert_eq(m->n_ports, 1);
	cr_expect_str_eq(p->name, "net0");
	cr_expect_str_eq(p->device, "net_af_xdp0,iface=veth-lb");
	cr_expect_eq(p->mtu, 0);
	cr_expect_eq(p->vlan, 0);
	cr_assert_eq(p->n_addresses, 2);
	cr_expect_eq(p->addresses[0].prefix_len, 24);
	cr_expect_eq(p->addresses[1].prefix_len, 64);
	cr_assert_eq(p->n_routes, 1);
	cr_expect_eq(p->routes[0].prefix_len, 0);
	cr_expect(dp_ip_is_v4(&p->routes[0].to));
	cr_expect_eq(p->routes[0].via.b[15], 1);
	cr_expect_eq(p->line, 6);
	ctl_model_free(m);
}

Test(config_load, example_service)
{
	struct ctl_model *m = config_good(config_example);
	const struct ctl_service *s = &m->services[0];

	cr_assert_eq(m->n_services, 1);
	cr_expect_str_eq(s->name, "voice");
	cr_assert_eq(s->n_listens, 2);
	must_be(&s->listens[0].at, "192.0.2.10", 5060);
	must_be(&s->listens[1].at, "2001:db8::10", 5060);
	cr_expect_eq(s->listens[0].port, 0);
	cr_expect_eq(s->select, DP_SELECT_AOR);
	cr_expect(s->path);
	cr_expect_not(s->trust_maddr);
	cr_expect_not(s->in_dialog_active);
	cr_expect_eq(s->map_503, 0);
	cr_expect_eq(s->retry_after_ms, 30000);
	cr_expect_eq(s->answers_per_s, 100);
	cr_expect_eq(s->max_message, 65535);
	cr_expect_eq(s->n_emergency, 0);
	cr_assert_eq(s->n_pairs, 1);
	cr_expect_eq(s->pairs[0], 0);
	ctl_model_free(m);
}

Test(config_load, example_pair)
{
	struct ctl_model *m = config_good(config_example);
	const struct ctl_pair *p = &m->pairs[0];
	const struct ctl_pair_settings *s = &p->set;

	cr_assert_eq(m->n_pairs, 1);
	cr_expect_eq(ctl_model_find_pair(m, "east"), 0);
	cr_expect_lt(ctl_model_find_pair(m, "eas"), 0);
	cr_expect_null(p->profile);
	cr_expect_eq(p->weight, 1);
	cr_expect_not(p->has_egress);
	cr_assert_eq(p->n_members, 2);
	must_be(&p->members[0].at, "198.51.100.11", 5060);
	must_be(&p->members[1].at, "198.51.100.12", 5060);
	cr_expect_str_eq(p->members[1].name, "east-b");
	cr_expect_eq(p->members[1].role, DP_ROLE_BACKUP);
	cr_expect_eq(p->members[1].methods, UINT32_MAX);
	cr_expect_eq(s->oos_check_ms, 5000);
	cr_expect_eq(s->oos_force_ms, 5000);
	cr_expect_eq(s->probe_timeout_ms, 0);
	cr_expect_eq(s->fall, 1);
	cr_expect_eq(s->rise, 1);
	cr_expect(s->probe_all);
	cr_assert_eq(s->n_unavailable_codes, 2);
	cr_expect_eq(s->unavailable_codes[0], 408);
	cr_expect_eq(s->unavailable_codes[1], 503);
	cr_expect_eq(s->failback, CTL_FAILBACK_TIMED);
	cr_expect_eq(s->failback_interval_ms, 1800000);
	cr_expect_eq(s->failback_hold_ms, 60000);
	cr_expect_eq(s->signal_methods, 1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_INVITE);
	cr_expect_not(s->gray_failover);
	cr_expect_null(s->probe_from);
	cr_expect_null(s->probe_user_agent);
	cr_expect_eq(s->probe_max_forwards, 70);
	ctl_model_free(m);
}

/* RFC 3261 9.1, 13.2.2.4: CANCEL and ACK go where their INVITE went. */
Test(config_load, methods_of_a_fallback)
{
	char *text =
		config_vary("transport: udp }\n    oos-check",
			    "transport: udp }\n"
			    "      - { name: c, role: fallback, address: 198.51.100.13, methods: "
			    "[ INVITE, BYE ] }\n"
			    "      - { name: d, role: fallback, address: 198.51.100.14, methods: "
			    "[ REGISTER ] }\n    oos-check");
	struct ctl_model *m = config_good(text);

	cr_expect_eq(m->pairs[0].members[2].methods, 1u << SIP_METHOD_INVITE | 1u << SIP_METHOD_BYE
							     | 1u << SIP_METHOD_ACK
							     | 1u << SIP_METHOD_CANCEL);
	cr_expect_eq(m->pairs[0].members[3].methods, 1u << SIP_METHOD_REGISTER);
	ctl_model_free(m);
	free(text);
}

Test(config_load, members_by_priority)
{
	struct ctl_model *m;
	char *text = config_vary("      - { name: east-a, role: primary",
				 "      - { name: f1, role: fallback, address: 198.51.100.21 }\n"
				 "      - { name: f2, role: fallback, address: 198.51.100.22 }\n"
				 "      - { name: east-a, role: primary");
	static const char *const order[] = { "east-a", "east-b", "f1", "f2" };

	m = config_good(text);
	cr_assert_eq(m->pairs[0].n_members, 4);
	for (size_t i = 0; i < 4; i++)
		cr_expect_str_eq(m->pairs[0].members[i].name, order[i]);
	ctl_model_free(m);
	free(text);
}
