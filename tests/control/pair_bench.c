#include "tests/control/pair_bench.h"

#include <criterion/criterion.h>
#include <string.h>

void bench_init(struct bench *b, unsigned int n)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };

	memset(b, 0, sizeof(*b));
	b->now_us = 1000 * SEC;
	b->conf = (struct ctl_pair_conf){
		.check_us = 5 * SEC,
		.force_us = 5 * SEC,
		.fall = 1,
		.rise = 1,
		.probe_all = true,
		.interval_us = 1800 * SEC,
		.hold_us = 60 * SEC,
		.n_codes = 2,
		.codes = { 408, 503 },
		.n = n,
	};
	for (unsigned int s = 0; s < n; s++) {
		b->conf.order[s] = (uint8_t)s;
		b->conf.m[s] = (struct ctl_pair_member_conf){
			.name = names[s],
			.role = s < 2 ? (uint8_t)s : DP_ROLE_FALLBACK,
			.rank = (uint8_t)s,
		};
		b->mood[s] = BENCH_ALIVE;
		b->code[s] = 200;
		b->rtt_us[s] = 1 * MS;
	}
	ctl_pair_init(&b->p);
}

void bench_start(struct bench *b)
{
	bench_step(b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE,
						.slots = (1u << b->conf.n) - 1 });
}

static void drop_pending(struct bench *b, uint32_t id)
{
	for (unsigned int i = 0; i < b->n_pending; i++) {
		if (b->pending[i].id == id) {
			b->pending[i] = b->pending[--b->n_pending];
			return;
		}
	}
}

static bool drop_outstanding(struct bench *b, uint32_t id)
{
	for (unsigned int i = 0; i < b->n_outstanding; i++) {
		if (b->outstanding[i] == id) {
			b->outstanding[i] = b->outstanding[--b->n_outstanding];
			return true;
		}
	}
	return false;
}

static void carry_out_send(struct bench *b, const struct ctl_pair_send *s)
{
	struct bench_pending *e = &b->pending[b->n_pending];
	uint16_t code = b->code[s->slot];

	if (b->n_sent < BENCH_LOG)
		b->sent[b->n_sent] = (struct bench_sent){ .at_us = b->now_us, .send = *s };
	b->n_sent++;
	cr_assert_lt(b->n_outstanding, BENCH_PENDING);
	b->outstanding[b->n_outstanding++] = s->id;
	if (b->mood[s->slot] == BENCH_DEAD)
		return;
	cr_assert_lt(b->n_pending, BENCH_PENDING);
	if (s->method == CTL_PROBE_REGISTER && b->register_code[s->slot] != 0)
		code = b->register_code[s->slot];
	e->id = s->id;
	e->at_us = b->now_us + b->rtt_us[s->slot];
	e->ev = (struct ctl_pair_event){ .type = CTL_EV_ANSWER,
					 .probe = s->id,
					 .code = code,
					 .rtt_us = (uint32_t)b->rtt_us[s->slot] };
	if (b->mood[s->slot] == BENCH_ICMP)
		e->ev = (struct ctl_pair_event){ .type = CTL_EV_ERROR,
						 .probe = s->id,
						 .code = CTL_ERROR_ICMP,
						 .detail = 3 << 8 | 3 };
	if (b->mood[s->slot] == BENCH_ERROR) {
		e->ev = (struct ctl_pair_event){
			.type = CTL_EV_ERROR, .probe = s->id, .code = b->error, .detail = b->detail
		};
		if (b->late)
			e->at_us = b->now_us + s->timeout_us - 1;
	}
	b->n_pending++;
}

void bench_step(struct bench *b, const struct ctl_pair_event *ev)
{
	unsigned int was = b->p.active;

	if (ev->type == CTL_EV_ANSWER || ev->type == CTL_EV_ERROR)
		drop_outstanding(b, ev->probe);
	ctl_pair_step(&b->p, &b->conf, ev, b->now_us, &b->out);
	for (unsigned int i = 0; i < b->out.n_cancels; i++) {
		cr_expect(drop_outstanding(b, b->out.cancels[i]), "cancelled a probe not sent");
		drop_pending(b, b->out.cancels[i]);
	}
	for (unsigned int i = 0; i < b->out.n_sends; i++)
		carry_out_send(b, &b->out.sends[i]);
	for (unsigned int i = 0; i < b->out.n_notes; i++) {
		if (b->out.notes[i].slot == CTL_PAIR_NONE)
			b->last = b->out.notes[i];
		else
			b->last_member = b->out.notes[i];
	}
	b->n_notes += b->out.n_notes;
	if (b->p.active != was) {
		b->n_switches++;
		b->switched_us = b->now_us;
	}
}

/* Earliest answer or tick, at most `until`. @return false when there is none. */
static bool next_thing(struct bench *b, uint64_t until_us)
{
	unsigned int best = BENCH_PENDING;
	uint64_t at = b->p.wake_us != 0 ? b->p.wake_us : UINT64_MAX;

	for (unsigned int i = 0; i < b->n_pending; i++) {
		if (b->pending[i].at_us <= at) {
			at = b->pending[i].at_us;
			best = i;
		}
	}
	if (at > until_us)
		return false;
	if (at > b->now_us)
		b->now_us = at;
	if (best == BENCH_PENDING) {
		bench_event(b, CTL_EV_TICK);
	} else {
		struct bench_pending e = b->pending[best];

		b->pending[best] = b->pending[--b->n_pending];
		bench_step(b, &e.ev);
	}
	return true;
}

void bench_run(struct bench *b, uint64_t us)
{
	uint64_t until = b->now_us + us;

	while (next_thing(b, until))
		;
	b->now_us = until;
}

uint64_t bench_until(struct bench *b, enum ctl_pair_phase phase, uint64_t us)
{
	uint64_t start = b->now_us;

	while (b->p.phase != phase) {
		if (!next_thing(b, start + us)) {
			b->now_us = start + us;
			return UINT64_MAX;
		}
	}
	return b->now_us - start;
}

void bench_clear_log(struct bench *b)
{
	b->n_sent = 0;
	b->n_notes = 0;
	b->n_switches = 0;
}

unsigned int bench_count(const struct bench *b, unsigned int slot)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < b->n_sent && i < BENCH_LOG; i++)
		n += b->sent[i].send.slot == slot;
	return n;
}

void bench_member_event(struct bench *b, enum ctl_pair_event_type type, unsigned int slot,
			unsigned int code, unsigned int method)
{
	bench_step(b, &(struct ctl_pair_event){ .type = type,
						.slot = (uint8_t)slot,
						.code = (uint16_t)code,
						.method = (uint8_t)method });
}

void bench_icmp(struct bench *b, unsigned int slot, uint64_t id)
{
	bench_step(b, &(struct ctl_pair_event){ .type = CTL_EV_ICMP,
						.slot = (uint8_t)slot,
						.detail = 3 << 8 | 3,
						.id = id });
}

void bench_event(struct bench *b, enum ctl_pair_event_type type)
{
	bench_step(b, &(struct ctl_pair_event){ .type = type });
}
