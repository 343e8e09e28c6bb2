/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The actions of a selector that has matched: signals, other return values, stack traces, rate limits. */
#ifndef POLYTRACE_ACTIONS_BPF_H
#define POLYTRACE_ACTIONS_BPF_H

#include "notifications.bpf.h"
#include "record.bpf.h"
#include "sockets.bpf.h"
#include "stack_cache.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct rate_key);
	__type(value, struct rate);
} rates SEC(".maps");

static __always_inline u32 first_bit(u64 bits)
{
	u32 index = 0;

	/* finds the exponent of a power of two by bisection */
	if (bits >> 32)
		index += 32, bits >>= 32;
	if (bits >> 16)
		index += 16, bits >>= 16;
	if (bits >> 8)
		index += 8, bits >>= 8;
	if (bits >> 4)
		index += 4, bits >>= 4;
	if (bits >> 2)
		index += 2, bits >>= 2;
	if (bits >> 1)
		index += 1;
	return index;
}

static __always_inline struct hook_counters *lookup_counters(void)
{
	u32 hook = config.hook;

	return bpf_map_lookup_elem(&counters, &hook);
}

/* The actions that decide about posting. With ACTIONS_RETURN, the actions of the return decide. */
static __always_inline const volatile struct selector_actions *posting_actions(u32 selector)
{
	return config.has_actions & ACTIONS_RETURN ? &config.return_actions[selector] : &config.actions[selector];
}

/* The current process. The process of the event may be another one: the owner of a socket. */
static __always_inline u32 current_tgid(struct hook_record *record)
{
	return config.finds_owner ? bpf_get_current_pid_tgid() >> 32 : record->event.key.tgid;
}

/* ---- rate limits -------------------------------------------------------------------------------------------- */

static __always_inline void hash_word(struct rate_key *key, u64 word)
{
	u64 a = key->hash[0], b = key->hash[1];

	a = (a ^ word) * 0x9e3779b97f4a7c15ULL;
	key->hash[0] = a ^ a >> 29;
	b = (b + word) * 0xc2b2ae3d27d4eb4fULL;
	key->hash[1] = b ^ b >> 31;
}

enum { HASH_WORDS = 4, HASH_BYTES = HASH_WORDS * 8 };

/*
 * Hashes all values with their strings; the bytes between them have been cleared. Each round hashes several words,
 * because the verifier limits the number of rounds.
 */
static __noinline void hash_body(struct hook_record *record, struct rate_key *key)
{
	u32 end = at_most(record->used, config.body_size), at = 0;

	for (; at < BODY_SIZE_MAX && at + HASH_BYTES <= end; at += HASH_BYTES) {
		u64 *words = (u64 *)&record->body[at_most(at, config.body_size - HASH_BYTES)];

#pragma unroll
		for (u32 i = 0; i < HASH_WORDS; i++)
			hash_word(key, words[i]);
	}
#pragma unroll
	for (u32 i = 0; i < HASH_WORDS; i++, at += 8) {
		if (at < end)
			hash_word(key, *(u64 *)&record->body[at_most(at, config.body_size - 8)]);
	}
}

/* True if enough time has passed since the last equal event. `selector`: as in struct rate_key. */
static __noinline bool is_rate_allowed(struct hook_record *record, u32 hook, u32 selector, u32 scope, u64 interval)
{
	struct rate first = { .posted = record->event.header.time };
	struct rate_key key = { .hook = hook, .selector = selector, .attach_point = record->event.attach_point };
	struct hook_counters *counted;
	struct rate *rate;

	key.id = scope == RATE_THREAD ? record->event.key.tid : scope == RATE_PROCESS ? record->event.key.tgid : 0;
	reserve_bytes(record, 0); /* clears the bytes after the last string, up to the next word boundary */
	hash_body(record, &key);
	rate = bpf_map_lookup_elem(&rates, &key);
	if (!rate) {
		bpf_map_update_elem(&rates, &key, &first, BPF_ANY);
		return true;
	}
	if (first.posted - rate->posted >= interval) {
		record->event.suppressed = rate->suppressed;
		rate->suppressed = 0;
		rate->posted = first.posted;
		return true;
	}
	__sync_fetch_and_add(&rate->suppressed, 1);
	counted = bpf_map_lookup_elem(&counters, &hook);
	if (counted)
		__sync_fetch_and_add(&counted->suppressed, 1);
	return false;
}

/* ---- stack traces ------------------------------------------------------------------------------------------- */

enum { FLAG_USER_STACK = 1 << 8 };

#ifdef HAS_STACK_CACHE
/* Most stacks of programs are short, and the kernel clears the memory that it does not need. */
static __always_inline long read_user_stack(void *ctx, struct stack_cache *cache, u8 *to)
{
	const u32 size_max = STACK_FRAMES_MAX * sizeof(u64);
	long size;

	if (!cache->is_long) {
		size = bpf_get_stack(ctx, to, USER_STACK_BYTES, FLAG_USER_STACK);
		if (size < USER_STACK_BYTES)
			return size;
	}
	size = bpf_get_stack(ctx, to, size_max, FLAG_USER_STACK);
	cache->is_long = size >= USER_STACK_BYTES;
	return size;
}
#endif

/* Returns the number of bytes, or a negative error. */
static __always_inline long read_stack(void *ctx, u8 *to, u64 flags)
{
	const u32 size_max = STACK_FRAMES_MAX * sizeof(u64);
#ifdef HAS_STACK_CACHE
	struct stack_cache *cache = config.stack_caches ? own_stack_cache() : 0;

	if (cache && flags & FLAG_USER_STACK)
		return read_user_stack(ctx, cache, to);
	if (cache) {
		u32 known = copy_known_stack(ctx, cache, (u64 *)to);
		long size;

		if (known)
			return known * sizeof(u64);
		size = bpf_get_stack(ctx, to, size_max, flags);
		if (size > 0)
			store_known_stack(ctx, cache, (u64 *)to, size / sizeof(u64));
		return size;
	}
#endif
	return bpf_get_stack(ctx, to, size_max, flags);
}

static __always_inline void collect_stack(void *ctx, struct hook_record *record, struct string_ref *to, u64 flags)
{
	u32 used = at_most((record->used + 7) & ~7, config.body_size - STACK_CAPACITY);
	long size = read_stack(ctx, &record->body[used], flags);

	record->used = used; /* the rate limit has its hash: nobody reads the bytes that were skipped */
	to->offset = sizeof(struct event_hook) + record->used;
	to->length = size > 0 ? size : 0;
	to->flags = size < 0 ? STRING_FAULT : size == STACK_FRAMES_MAX * sizeof(u64) ? STRING_TRUNCATED : 0;
	if (size > 0)
		record->used += at_most(size, STACK_CAPACITY);
}

/* ---- enforcement -------------------------------------------------------------------------------------------- */

static __always_inline u32 matched_selector(u64 candidates)
{
	u32 selector;

	if (config.selectors == 1)
		return 0; /* its actions are constants */
	selector = first_bit(candidates & -candidates);
	opaque(selector);
	return selector < HOOK_SELECTORS_MAX ? selector : 0;
}

static __always_inline bool has_enforcement(const volatile struct selector_actions *actions)
{
	if (actions->signal || actions->overrides)
		return true;
	return config.has_actions & ACTIONS_NOTIFY && actions->notify & NOTIFY_ENFORCER;
}

#ifdef USER_PROGRAM
/* Changes the traced program as the selector requests. Returns false if nothing was changed. */
static bool change_program(void *ctx, const volatile struct selector_actions *actions);
#else
/* For kernel functions, the caller overrides. */
static __always_inline bool change_program(void *ctx __attribute__((unused)),
					   const volatile struct selector_actions *actions __attribute__((unused)))
{
	return true;
}
#endif

/* Stores the current process as the owner of the socket, or removes the owner. */
static __always_inline void track_socket(u64 sock, const u32 action)
{
	struct process_key owner;

	if (!sock)
		return;
	if (action == SOCKET_UNTRACK)
		return delete_owner(sock);
	fill_key(&owner, current_task());
	store_owner(sock, &owner);
}

static __always_inline bool is_monitored(struct hook_counters *counted)
{
	return !*(volatile u64 *)&counted->enforces;
}

/* Runs the actions on the current process. Returns the results as enum event_flag. */
static __always_inline u32 enforce_actions(void *ctx, struct hook_record *record, struct hook_counters *counted,
					   const volatile struct selector_actions *actions)
{
	u32 flags = 0;

	if (config.has_actions & ACTIONS_NOTIFY && actions->notify & NOTIFY_CLEANUP)
		clear_notification();
	if (!has_enforcement(actions))
		return 0;
	if (is_monitored(counted))
		return EVENT_MONITORED;
	if (is_protected(current_tgid(record)))
		return EVENT_PROTECTED;
	if (actions->signal)
		flags |= bpf_send_signal(actions->signal) ? EVENT_SIGNAL_FAILED : EVENT_SIGNALLED;
	if (actions->overrides && change_program(ctx, actions))
		flags |= EVENT_OVERRIDDEN;
	if (config.has_actions & ACTIONS_NOTIFY && actions->notify & NOTIFY_ENFORCER)
		flags |= notify_enforcer(actions);
	if (flags & (EVENT_SIGNALLED | EVENT_OVERRIDDEN))
		__sync_fetch_and_add(&counted->enforced, 1);
	return flags;
}

/*
 * Runs the actions of the entry. Returns true if the function must be overridden. In monitor mode, the actions do not
 * run, and the event has a flag for this.
 */
static __noinline bool enforce_entry(void *ctx, struct hook_record *record, u64 candidates)
{
	u32 selector = matched_selector(candidates), flags;
	const volatile struct selector_actions *actions = &config.actions[selector];
	struct hook_counters *counted = lookup_counters();

	if (!counted)
		return false;
	if (config.has_actions & ACTIONS_RETURN)
		record->event.entry_selector = selector;
	else
		__sync_fetch_and_add(&counted->matched, 1);
	flags = enforce_actions(ctx, record, counted, actions);
	if (!flags)
		return false;
	record->event.header.flags |= flags;
	return flags & EVENT_OVERRIDDEN;
}

/* Runs the actions of the return. They cannot override, because the function has run. */
static __noinline int enforce_at_return(void *ctx, struct hook_record *record, u64 candidates)
{
	const volatile struct selector_actions *actions = &config.return_actions[matched_selector(candidates)];
	struct hook_counters *counted = lookup_counters();

	if (!counted)
		return 0;
	__sync_fetch_and_add(&counted->matched, 1);
	record->event.header.flags |= enforce_actions(ctx, record, counted, actions) << EVENT_RETURN_SHIFT;
	return 0;
}

/* Returns true if an event must be posted. Then adds the stack traces. */
static __noinline bool should_post(void *ctx, struct hook_record *record, u64 candidates)
{
	u32 selector = matched_selector(candidates), stacks;
	const volatile struct selector_actions *actions = posting_actions(selector);

	if (actions->no_post)
		return false;
	if (actions->rate_scope &&
	    !is_rate_allowed(record, config.hook, selector, actions->rate_scope, actions->rate_interval))
		return false;
	stacks = actions->stacks;
	if (stacks & STACK_KERNEL)
		collect_stack(ctx, record, &record->event.kernel_stack, 0);
	if (stacks & STACK_USER)
		collect_stack(ctx, record, &record->event.user_stack, FLAG_USER_STACK);
	return true;
}

#endif
