/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sums of keys that come often: places in memory with a constant address, some for each CPU. A look-up in count_keys
 * costs more than everything else that a hook does to count a call.
 *
 * The hash of a key gives its place. The first key that needs a place has it as long as the hook exists, so that no sum
 * moves. A key is in count_keys before it gets a place, and calls are added to one of the two: the sum of both is
 * exact.
 */
#ifndef POLYTRACE_DIRECT_KEYS_BPF_H
#define POLYTRACE_DIRECT_KEYS_BPF_H

#include "actions.bpf.h"

/* The probe flavour does without: atomic operations that return a value exist since Linux 5.12. */
#ifndef READ_PROBE
/* A variable, so that its address is a constant in the program. User space sets its size at load. */
struct direct_key direct_keys[1] SEC(".data.direct_keys") = {};

/* The place of the key on this CPU. */
static __always_inline struct direct_key *find_direct_key(const struct count_key *key)
{
	struct direct_key *first = direct_keys;
	u64 hash = key->words[0];
	u32 number;

#pragma unroll
	for (u32 i = 1; i < COUNT_KEY_WORDS; i++) {
		if (i <= 2 * (u32)config.count_key_labels)
			hash = (hash ^ key->words[i]) * 0x9e3779b97f4a7c15ULL;
	}
	number = bpf_get_smp_processor_id() << DIRECT_KEY_BITS | (u32)(hash >> (64 - DIRECT_KEY_BITS));
	opaque(first); /* for the compiler, the array has only one element */
	return number < config.direct_keys ? first + number : 0;
}

static __always_inline bool has_key(const struct direct_key *place, const struct count_key *key)
{
	u64 difference = place->words[0] ^ key->words[0];

#pragma unroll
	for (u32 i = 1; i < COUNT_KEY_WORDS; i++) {
		if (i <= 2 * (u32)config.count_key_labels)
			difference |= place->words[i] ^ key->words[i];
	}
	return !difference && *(volatile u64 *)&place->state == KEY_READY;
}

/* Gives the key its place, for the next call. A program that is interrupted here is the only one that goes on. */
static __noinline int take_direct_key(struct direct_key *place, const struct count_key *key)
{
	if (!place || !key || place->state != KEY_FREE ||
	    __sync_val_compare_and_swap(&place->state, KEY_FREE, KEY_TAKEN) != KEY_FREE)
		return 0;
#pragma unroll
	for (u32 i = 0; i < COUNT_KEY_WORDS; i++) {
		if (i <= 2 * (u32)config.count_key_labels)
			place->words[i] = key->words[i];
	}
	__sync_lock_test_and_set(&place->state, KEY_READY); /* a full barrier: the key is complete */
	return 0;
}
#endif

#endif
