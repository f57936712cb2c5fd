/*
 * Operators' commands.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/pair/ctl_pairs_int.h"

#define ERR_SIZE 256

static int slot_in(const struct ctl_pairs_pair *rp, const char *name)
{
	for (int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (rp->st.m[s].present && rp->m[s].name != NULL
		    && strcmp(rp->m[s].name, name) == 0)
			return s;
	}
	return -ENOENT;
}

/* A plain name that several pairs have names nobody: it takes "pair/member" then. */
static int find_plain(const struct ctl_pairs *ps, const char *name, struct ctl_pairs_pair **pair,
		      unsigned int *slot)
{
	int found = -ENOENT;

	for (size_t i = 0; i < ps->n_order; i++) {
		int s = slot_in(ps->order[i], name);

		if (s < 0)
			continue;
		if (found == 0)
			return -ENOTUNIQ;
		*pair = ps->order[i];
		*slot = (unsigned int)s;
		found = 0;
	}
	return found;
}

int ctl_pairs_find_member(const struct ctl_pairs *ps, const char *name,
			  struct ctl_pairs_pair **pair, unsigned int *slot)
{
	const char *slash = strchr(name, '/');
	char pair_name[ERR_SIZE];
	struct ctl_pairs_pair *rp;
	int s, err = find_plain(ps, name, pair, slot);

	if (err != -ENOENT || slash == NULL || (size_t)(slash - name) >= sizeof(pair_name))
		return err;
	memcpy(pair_name, name, (size_t)(slash - name));
	pair_name[slash - name] = '\0';
	rp = ctl_pairs_find(ps, pair_name);
	s = rp != NULL ? slot_in(rp, slash + 1) : -ENOENT;
	if (s < 0)
		return -ENOENT;
	*pair = rp;
	*slot = (unsigned int)s;
	return 0;
}

int ctl_pairs_member_number(const struct ctl_pairs *ps, const char *member)
{
	struct ctl_pairs_pair *rp;
	unsigned int slot;

	if (ctl_pairs_find_member(ps, member, &rp, &slot) != 0)
		return -ENOENT;
	return (int)(rp->number * DP_PAIR_MEMBERS + slot);
}

static int command(struct ctl_pairs_pair *rp, enum ctl_pair_event_type type, unsigned int slot,
		   const char *who, char *err)
{
	const struct ctl_pair_event ev = { .type = type, .slot = (uint8_t)slot, .who = who };
	char why[CTL_PAIR_TEXT];

	if (ctl_pair_refuses(&rp->st, &rp->conf, &ev, why) != 0) {
		snprintf(err, ERR_SIZE, "%s", why);
		return -EINVAL;
	}
	ctl_pairs_step(rp, &ev);
	return 0;
}

static struct ctl_pairs_pair *pair_or_err(struct ctl_pairs *ps, const char *pair, char *err)
{
	struct ctl_pairs_pair *rp = ctl_pairs_find(ps, pair);

	if (rp == NULL)
		snprintf(err, ERR_SIZE, "there is no pair \"%.100s\"", pair);
	return rp;
}

int ctl_pairs_switch(struct ctl_pairs *ps, const char *pair, const char *to, const char *who,
		     char *err)
{
	struct ctl_pairs_pair *rp = pair_or_err(ps, pair, err);
	int slot = CTL_PAIR_NONE;

	if (rp == NULL)
		return -ENOENT;
	if (to != NULL)
		slot = slot_in(rp, to);
	if (slot < 0) {
		snprintf(err, ERR_SIZE, "pair \"%.80s\" has no member \"%.80s\"", pair, to);
		return -ENOENT;
	}
	return command(rp, CTL_EV_SWITCH, (unsigned int)slot, who, err);
}

int ctl_pairs_pin(struct ctl_pairs *ps, const char *pair, bool on, const char *who, char *err)
{
	struct ctl_pairs_pair *rp = pair_or_err(ps, pair, err);

	if (rp == NULL)
		return -ENOENT;
	return command(rp, on ? CTL_EV_PIN : CTL_EV_UNPIN, CTL_PAIR_NONE, who, err);
}

static int member_command(struct ctl_pairs *ps, enum ctl_pair_event_type type, const char *member,
			  const char *who, char *err)
{
	struct ctl_pairs_pair *rp;
	unsigned int slot;
	int e = ctl_pairs_find_member(ps, member, &rp, &slot);

	if (e == -ENOTUNIQ)
		snprintf(err, ERR_SIZE, "several pairs have a member \"%.80s\": say PAIR/%.80s",
			 member, member);
	else if (e != 0)
		snprintf(err, ERR_SIZE, "there is no member \"%.100s\"", member);
	if (e != 0)
		return -ENOENT;
	return command(rp, type, slot, who, err);
}

int ctl_pairs_drain(struct ctl_pairs *ps, const char *member, const char *who, char *err)
{
	return member_command(ps, CTL_EV_DRAIN, member, who, err);
}

int ctl_pairs_disable(struct ctl_pairs *ps, const char *member, const char *who, char *err)
{
	return member_command(ps, CTL_EV_DISABLE, member, who, err);
}

int ctl_pairs_enable(struct ctl_pairs *ps, const char *member, const char *who, char *err)
{
	return member_command(ps, CTL_EV_ENABLE, member, who, err);
}
