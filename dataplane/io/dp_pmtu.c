#include "dataplane/io/dp_pmtu.h"

#include <string.h>

/*
 * A record's words are each stored with release and loaded with acquire: what fences between them
 * and its count would do, in a form that ThreadSanitizer understands, and free on x86. Acquire: the
 * record is read before its count is read again. Release: the odd count is seen before anything of
 * the new record. They are each other's partners.
 */
static uint64_t load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint64_t *p, uint64_t v)
{
	atomic_store_explicit(p, v, memory_order_release);
}

void dp_pmtu_init(struct dp_pmtu *t)
{
	memset(t, 0, sizeof(*t));
	atomic_flag_clear(&t->lock);
}

static uint32_t bucket_of(const struct sip_ip *ip)
{
	struct dp_endpoint e = { .ip = *ip };

	return dp_endpoint_hash(&e) & (DP_PMTU_SLOTS / DP_PMTU_WAYS - 1);
}

static bool slot_is(const struct dp_pmtu_slot *s, const uint64_t ip[2])
{
	return load(&s->ip[0]) == ip[0] && load(&s->ip[1]) == ip[1];
}

/* The MTU in a slot, or UINT32_MAX when it is another's, forgotten or just being written. */
static uint32_t slot_read(const struct dp_pmtu_slot *s, const uint64_t ip[2], uint64_t now_us)
{
	/* Acquire: nothing of the record is read before its count. Partner: slot_write(). */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
	bool found = slot_is(s, ip) && now_us < load(&s->until_us);
	uint32_t mtu = atomic_load_explicit(&s->mtu, memory_order_acquire);

	if (!found || (seq & 1) || atomic_load_explicit(&s->seq, memory_order_relaxed) != seq)
		return UINT32_MAX;
	return mtu;
}

uint32_t dp_pmtu_find(const struct dp_pmtu *t, const struct sip_ip *to, uint64_t now_us)
{
	const struct dp_pmtu_slot *s = t->slot + bucket_of(to) * DP_PMTU_WAYS;
	uint64_t ip[2];

	memcpy(ip, to->b, sizeof(ip));
	for (unsigned int i = 0; i < DP_PMTU_WAYS; i++) {
		uint32_t mtu = slot_read(&s[i], ip, now_us);

		if (mtu != UINT32_MAX)
			return mtu;
	}
	return UINT32_MAX;
}

/* Under the lock. */
static void slot_write(struct dp_pmtu_slot *s, const uint64_t ip[2], uint32_t mtu,
		       uint64_t until_us)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	store(&s->ip[0], ip[0]);
	store(&s->ip[1], ip[1]);
	store(&s->until_us, until_us);
	atomic_store_explicit(&s->mtu, mtu, memory_order_release);
	/* Release: the record is seen before the even count. Partner: slot_read()'s first load. */
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

/* The path's own slot, or the one to give up. Under the lock. */
static struct dp_pmtu_slot *slot_for(struct dp_pmtu *t, const struct sip_ip *to,
				     const uint64_t ip[2])
{
	struct dp_pmtu_slot *s = t->slot + bucket_of(to) * DP_PMTU_WAYS, *victim = s;

	for (unsigned int i = 0; i < DP_PMTU_WAYS; i++) {
		if (slot_is(&s[i], ip))
			return &s[i];
		if (load(&s[i].until_us) < load(&victim->until_us))
			victim = &s[i];
	}
	return victim;
}

uint32_t dp_pmtu_lower(struct dp_pmtu *t, const struct sip_ip *to, uint32_t mtu, uint64_t now_us)
{
	uint32_t least = dp_ip_is_v4(to) ? DP_PMTU_MIN4 : DP_PMTU_MIN6;
	uint64_t ip[2], until = now_us + DP_PMTU_US;

	memcpy(ip, to->b, sizeof(ip));
	mtu = mtu < least ? least : mtu;
	while (atomic_flag_test_and_set_explicit(&t->lock, memory_order_acquire))
		;
	if (dp_pmtu_find(t, to, now_us) <= mtu) {
		mtu = 0;
	} else {
		slot_write(slot_for(t, to, ip), ip, mtu, until);
		if (load(&t->until_us) < until)
			store(&t->until_us, until);
	}
	atomic_flag_clear_explicit(&t->lock, memory_order_release);
	return mtu;
}
