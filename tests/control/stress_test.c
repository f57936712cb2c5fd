/*
 * Two workers steer without pause while control publishes snapshots, adds and removes a member, and
 * flips the pair as fast as it can. Nothing may be misrouted (a verdict names a member that the
 * snapshot in use does not hold), refused or leaked. Run under ThreadSanitizer too: it is the proof
 * that the publication protocol orders what it claims to.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config/ctl_config.h"
#include "control/snapshot/ctl_draft.h"
#include "dataplane/steer/steer.h"

#define N_WORKERS 2
#define N_ROUNDS  500
/** Rounds after which a machine that gives the workers no time has had its chance. */
#define MAX_ROUNDS (200 * N_ROUNDS)
/** Messages by the primary and by a backup, each, before the figures mean anything. */
#define MIN_STEERED 1000
#define N_KINDS     2

static const char *const config_text[N_KINDS] = {
#define CONFIG(backup)                                                                          \
	"control-socket: /tmp/none\nstate-file: /tmp/none.json\nkey-file: /tmp/none.keys\n"     \
	"instance: stress\n"                                                                    \
	"ports: [ { name: net0, device: net_null0, addresses: [ 192.0.2.10/24 ],"               \
	" routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 } ] } ]\n"                                  \
	"services: [ { name: voice, listen: [ \"udp:192.0.2.10:5060\" ], pairs: [ east ] } ]\n" \
	"pairs:\n  - name: east\n    members:\n"                                                \
	"      - { name: east-a, role: primary, address: 198.51.100.11, transport: udp }\n"     \
	"      - { name: " backup ", transport: udp, role: backup }\n"
	CONFIG("east-b, address: 198.51.100.12"), CONFIG("east-c, address: 198.51.100.13")
};

struct worker {
	pthread_t thread;
	unsigned int number;
	/* Written by this worker alone, read by main as it goes. */
	_Atomic uint64_t steered, wrong, to_backup;
};

static struct dp_region *region;
static struct ctl_draft *draft;
static atomic_bool stop;

static size_t make_request(char *text, size_t size, const struct worker *w)
{
	return (size_t)snprintf(
		text, size,
		"INVITE sip:bob@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK%u-%llu\r\n"
		"From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n"
		"Call-ID: %u-%llu\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: "
		"0\r\n\r\n",
		w->number, (unsigned long long)w->steered, w->number,
		(unsigned long long)w->steered);
}

/** Whether the verdict goes to a member that this snapshot holds under that number. */
static bool right(const struct dp_cfg *cfg, const struct steer_verdict *v)
{
	const struct dp_pair *p;

	if (v->action != STEER_FORWARD || v->member == UINT32_MAX)
		return false;
	p = dp_cfg_pair(cfg, v->member / DP_PAIR_MEMBERS);
	return p && dp_pair_member(p, v->member % DP_PAIR_MEMBERS)->valid
	       && memcmp(&dp_pair_member(p, v->member % DP_PAIR_MEMBERS)->at, &v->to, sizeof(v->to))
			  == 0;
}

static void steer_one(struct steer *s, struct worker *w, const struct dp_cfg *cfg,
		      struct steer_verdict *v)
{
	char text[1024];
	struct steer_in in = { .buf = (const uint8_t *)text,
			       .src = { .port = 5060 },
			       .dst = { .port = 5060 } };

	in.len = (uint32_t)make_request(text, sizeof(text), w);
	dp_ip_parse("203.0.113.10", &in.src.ip);
	dp_ip_parse("192.0.2.10", &in.dst.ip);
	in.listener = dp_cfg_listener_at(cfg, &in.dst);
	steer_message(s, &in, v);
	w->steered++;
	if (!right(cfg, v) && w->wrong++ == 0)
		fprintf(stderr, "worker %u: action %u, reason %u, member %u: %s\n", w->number,
			v->action, v->reason, v->member, v->why);
	w->to_backup += v->action == STEER_FORWARD && v->to.ip.b[15] != 11;
}

static void *work(void *arg)
{
	static struct steer_verdict verdict[N_WORKERS];
	struct worker *w = arg;
	struct dp_worker_block *block = dp_region_worker(region, w->number);
	struct steer_params params = { .worker = (uint16_t)w->number,
				       .n_records = 4096,
				       .n_challenges = 64,
				       .n_limits = 64,
				       .record_hold_ms = 1,
				       .counters = &block->counters,
				       .members = block->members,
				       .events = &block->events,
				       .pair_words = region->pair_words };
	struct steer *s = steer_new(&params);
	struct dp_view view;
	uint64_t now_us = 1;

	dp_region_online(region, w->number, &view);
	while (s && !atomic_load_explicit(&stop, memory_order_relaxed)) {
		now_us += 1000;
		if (view.cfg) {
			steer_begin(s, view.cfg, now_us);
			for (int i = 0; i < 8; i++)
				steer_one(s, w, view.cfg, &verdict[w->number]);
			steer_tick(s, now_us);
		}
		dp_region_quiesce(region, w->number, &view);
	}
	dp_region_offline(region, w->number, &view);
	steer_free(s);
	return NULL;
}

static uint64_t word(const struct ctl_numbers *n, const char *active)
{
	return DP_WORD_VALID | (uint32_t)ctl_numbers_slot(n, "east", active);
}

static void wait_acked(const struct ctl_publisher *p, uint64_t generation)
{
	while (!ctl_publisher_acked(p, generation))
		sched_yield();
}

/** One reload as control does it: let go of what leaves, publish, wait, name what came; then flips.
 */
static int reload(struct ctl_publisher *p, struct ctl_numbers *n, const struct ctl_model *m,
		  int round)
{
	static const struct ctl_secrets secrets = { .n = 1, .key = { { .b = { 1, 2, 3 } } } };
	const char *backup = m->pairs[0].members[1].name;
	unsigned int east = (unsigned int)ctl_numbers_pair(n, "east");
	const struct dp_cfg *cfg;
	uint64_t generation;

	dp_region_set_word(region, east, word(n, "east-a"));
	/* A grace period between rounds, so that the backups' slots change hands as often as they
	 * can. */
	if (ctl_numbers_assign(n, m, 1 + (uint64_t)round * CTL_NUMBER_GRACE_MS) != 0)
		return -1;
	cfg = ctl_draft_update(draft, m, n, &secrets, ctl_publisher_cfg(p));
	if (!cfg)
		return -1;
	while ((generation = ctl_publish_cfg(p, cfg)) == 0)
		sched_yield();
	wait_acked(p, generation);
	for (int i = 0; i < 21; i++) {
		dp_region_set_word(region, east, word(n, i & 1 ? "east-a" : backup));
		sched_yield(); /* where cores are few, no worker would ever see the word */
	}
	return 0;
}

static struct ctl_model *load(int kind)
{
	struct ctl_diag d;
	struct ctl_model *m;

	ctl_diag_init(&d);
	m = ctl_config_load_text("stress", config_text[kind], strlen(config_text[kind]), &d);
	ctl_diag_print(&d, "stress", stderr);
	ctl_diag_fini(&d);
	return m;
}

/** Whether the workers had time enough for the figures to mean something. */
static bool enough(struct worker *w)
{
	uint64_t steered = 0, to_backup = 0;

	for (unsigned int i = 0; i < N_WORKERS; i++) {
		steered += w[i].steered;
		to_backup += w[i].to_backup;
	}
	return to_backup >= MIN_STEERED && steered >= to_backup + MIN_STEERED;
}

static int run(struct ctl_publisher *p, struct ctl_numbers *n, struct ctl_model *const *m)
{
	struct worker w[N_WORKERS] = { 0 };
	uint64_t steered = 0, wrong = 0, to_backup = 0;
	struct ctl_publisher_stats stats;

	if (ctl_numbers_assign(n, m[0], 1) != 0 || reload(p, n, m[0], 0) != 0)
		return 1;
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		w[i].number = i;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			return 1;
	}
	for (int round = 1; round <= N_ROUNDS || (round <= MAX_ROUNDS && !enough(w)); round++) {
		if (reload(p, n, m[round % N_KINDS], round) != 0)
			return 1;
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		steered += w[i].steered;
		wrong += w[i].wrong;
		to_backup += w[i].to_backup;
	}
	ctl_publisher_stats(p, &stats);
	printf("%llu steered, %llu to a backup, %llu wrong; %llu published, %llu blocks in use\n",
	       (unsigned long long)steered, (unsigned long long)to_backup,
	       (unsigned long long)wrong, (unsigned long long)stats.published,
	       (unsigned long long)stats.blocks);
	return wrong || !enough(w) || stats.published < N_ROUNDS || stats.blocks > 4;
}

int main(void)
{
	static const struct dp_boot boot = { .n_workers = N_WORKERS };
	struct ctl_model *m[N_KINDS] = { load(0), load(1) };
	struct ctl_numbers *n = ctl_numbers_new();
	struct ctl_publisher *p;
	int fd, status;

	region = dp_region_create(&boot, 4 << 20, &fd);
	if (!region || !n || !m[0] || !m[1]) {
		fprintf(stderr, "cannot start\n");
		return 1;
	}
	close(fd);
	p = ctl_publisher_new(region);
	draft = ctl_draft_new();
	if (!p || !draft)
		return 1;
	status = run(p, n, m);
	ctl_draft_free(draft);
	ctl_publisher_free(p);
	ctl_numbers_free(n);
	ctl_model_free(m[0]);
	ctl_model_free(m[1]);
	dp_region_unmap(region);
	return status;
}
