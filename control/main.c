/*
 * sipsteerd: options, and the way through start, run and end. All that is done is in
 * control/daemon.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "control/base/ctl_log.h"
#include "control/daemon/ctl_daemon.h"

static const char usage[] =
	"Usage: sipsteerd [--config FILE] [OPTION]...\n"
	"       sipsteerd --check-config FILE\n"
	"\n"
	"The control plane of sipsteer: probes the servers, decides which is active, tells the\n"
	"data plane. Stays in the foreground and logs to stderr, or to the journal under systemd.\n"
	"\n"
	"  --config FILE         configuration (default: /etc/sipsteer/sipsteer.yaml)\n"
	"  --check-config FILE   print every error of a configuration; exit 1 if there is one\n"
	"  --dataplane PATH      sipsteer-dataplane to start (default: the one beside this "
	"program,\n"
	"                        else the one in " SIPSTEER_LIBEXECDIR ")\n"
	"  --no-start-dataplane  start none: wait for one that others start (systemd)\n"
	"  --replace-dataplane   end a data plane that runs and start it anew; forwarding pauses\n"
	"  --foreground          stay in the foreground (the default)\n"
	"  --version, --help\n"
	"\n"
	"SIGHUP reloads the configuration. SIGTERM ends this program only, the data plane goes\n"
	"on; 'sipsteerctl shutdown' ends both.\n";

static int check_config(const char *path)
{
	struct ctl_diag diag;
	struct ctl_model *m;
	int ret;

	ctl_diag_init(&diag);
	m = ctl_config_load(path, &diag);
	ctl_diag_print(&diag, path, m ? stdout : stderr);
	if (m)
		printf("%s: good: %zu services, %zu pairs\n", path, m->n_services, m->n_pairs);
	ret = m ? 0 : 1;
	ctl_model_free(m);
	ctl_diag_fini(&diag);
	return ret;
}

/* Setting addresses and routes needs this; it is what "not root" comes to. */
static bool may_administer_network(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return geteuid() == 0;
	return data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

enum { DONE = -1, BAD = -2 };

/* @return 0 to go on, else DONE or BAD. */
static int read_options(struct ctl_options *o, const char **check, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", required_argument, NULL, 'C' },
		{ "dataplane", required_argument, NULL, 'd' },
		{ "no-start-dataplane", no_argument, NULL, 'n' },
		{ "replace-dataplane", no_argument, NULL, 'r' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'C': *check = optarg; break;
		case 'd': o->dataplane = optarg; break;
		case 'n': o->start_dataplane = false; break;
		case 'r': o->replace_dataplane = true; break;
		case 'f': break;
		case 'V': puts("sipsteerd " SIPSTEER_VERSION); return DONE;
		case 'h': fputs(usage, stdout); return DONE;
		default: fputs(usage, stderr); return BAD;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "sipsteerd: unexpected argument '%s'\n%s", argv[optind], usage);
		return BAD;
	}
	return 0;
}

/* A member that is probed over TCP or TLS takes a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int run(const struct ctl_options *o, char **argv)
{
	static struct ctl_daemon daemon;
	bool again;
	int ret;

	raise_descriptor_limit();
	if (!may_administer_network()) {
		fputs("sipsteerd: not permitted: it sets addresses and routes and starts the data "
		      "plane; run it as root (or with CAP_NET_ADMIN)\n",
		      stderr);
		return 1;
	}
	ret = ctl_daemon_start(&daemon, o);
	if (ret == 0) {
		sd_notify(0, "READY=1");
		ctl_daemon_run(&daemon);
		sd_notify(0, "STOPPING=1");
	}
	again = daemon.again;
	ctl_daemon_end(&daemon);
	if (again) {
		execv("/proc/self/exe", argv);
		fprintf(stderr, "sipsteerd: cannot start over: %s\n", strerror(errno));
		return 1;
	}
	return ret < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct ctl_options o = { .config = "/etc/sipsteer/sipsteer.yaml", .start_dataplane = true };
	const char *check = NULL;
	int ret = read_options(&o, &check, argc, argv);

	if (ret)
		return ret == DONE ? 0 : 1;
	setvbuf(stderr, NULL, _IOLBF, 0);
	ctl_log_open("sipsteerd");
	return check ? check_config(check) : run(&o, argv);
}
