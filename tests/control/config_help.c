#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char config_example[] =
	"control-socket: /run/sipsteer/control.sock\n"
	"state-file: /var/lib/sipsteer/state.json\n"
	"key-file: /etc/sipsteer/keys     # one key a line\n"
	"workers: 1\n"
	"ports:\n"
	"  - name: net0\n"
	"    device: \"net_af_xdp0,iface=veth-lb\"\n"
	"    addresses: [ 192.0.2.10/24, \"2001:db8::10/64\" ]\n"
	"    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 } ]\n"
	"services:\n"
	"  - name: voice\n"
	"    listen: [ \"udp:192.0.2.10:5060\", \"udp:[2001:db8::10]:5060\" ]\n"
	"    select: aor\n"
	"    pairs: [ east ]\n"
	"pairs:\n"
	"  - name: east\n"
	"    members:\n"
	"      - { name: east-a, role: primary, address: 198.51.100.11, port: 5060, transport: udp "
	"}\n"
	"      - { name: east-b, role: backup,  address: 198.51.100.12, port: 5060, transport: udp "
	"}\n"
	"    oos-check: 5s\n"
	"    oos-force: 5s\n"
	"    failback: [ timed ]\n"
	"    failback-interval: 1800s\n"
	"    failback-hold: 60s\n";

struct ctl_model *config_try(const char *text, char *said, size_t size)
{
	FILE *out = fmemopen(said, size, "w");
	struct ctl_model *m;
	struct ctl_diag d;

	cr_assert_not_null(out);
	memset(said, 0, size);
	ctl_diag_init(&d);
	m = ctl_config_load_text("test.yaml", text, strlen(text), &d);
	ctl_diag_print(&d, "test.yaml", out);
	cr_expect_eq(m != NULL, d.n_errors == 0, "a model, or errors");
	ctl_diag_fini(&d);
	fclose(out);
	return m;
}

struct ctl_model *config_good(const char *text)
{
	static char said[65536];
	struct ctl_model *m = config_try(text, said, sizeof(said));

	cr_assert_not_null(m, "%s", said);
	cr_expect_str_empty(said);
	return m;
}

char *config_vary(const char *what, const char *with)
{
	const char *at = strstr(config_example, what);
	size_t size = sizeof(config_example) + strlen(with);
	char *text = malloc(size);

	cr_assert_not_null(at, "the example has no \"%s\"", what);
	cr_assert_not_null(text);
	snprintf(text, size, "%.*s%s%s", (int)(at - config_example), config_example, with,
		 at + strlen(what));
	return text;
}
