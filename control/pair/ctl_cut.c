#include "control/pair/ctl_cut.h"

static void count(struct ctl_cut *c, enum ctl_silence silence, int by)
{
	if (silence == CTL_NOT_ASKED)
		return;
	c->n_asked += (size_t)by;
	if (silence == CTL_SILENT)
		c->n_silent += (size_t)by;
}

bool ctl_cut_update(struct ctl_cut *c, struct ctl_cut_pair *p, enum ctl_silence silence,
		    uint64_t heard_us, uint64_t round_us, uint64_t now_us)
{
	if (silence == CTL_SILENT && p->silence != CTL_SILENT)
		p->silent_us = now_us;

	count(c, p->silence, -1);
	count(c, silence, 1);
	p->silence = silence;
	p->heard_us = heard_us;
	p->round_us = round_us;
	if (heard_us > c->heard_us) {
		c->heard_us = heard_us;
		c->judged = false;
	}
	return c->n_asked >= 2 && c->n_silent == c->n_asked && !c->on && !c->judged;
}

void ctl_cut_remove(struct ctl_cut *c, struct ctl_cut_pair *p)
{
	count(c, p->silence, -1);
	p->silence = CTL_NOT_ASKED;
}

bool ctl_cut_went_together(const struct ctl_cut *c, const struct ctl_cut_pair *p)
{
	return p->silence == CTL_SILENT && p->heard_us != 0 && p->silent_us > c->heard_us
	       && c->heard_us - p->heard_us <= p->round_us;
}

bool ctl_cut_judge(struct ctl_cut *c, size_t n_together)
{
	c->judged = true;
	c->on = n_together >= 2;
	return c->on;
}

bool ctl_cut_heard(struct ctl_cut *c, uint64_t now_us)
{
	bool was = c->on;

	c->on = false;
	c->judged = false;
	if (now_us > c->heard_us)
		c->heard_us = now_us;
	return was;
}
