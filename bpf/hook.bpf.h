/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The engine of every hook: it runs the filters, cheap ones first, and then writes the event.
 *
 * A hook starts with all its selectors as candidates, a bit each. Each filter removes the selectors that cannot match.
 * If none is left, the hook is done. The lowest remaining candidate has matched. `config` is in frozen .rodata, so the
 * verifier knows its values and removes all code that the policy does not use.
 *
 * values.bpf.h lists the functions that the including file must define.
 */
#ifndef POLYTRACE_HOOK_BPF_H
#define POLYTRACE_HOOK_BPF_H

#include "details.bpf.h"
#include "actions.bpf.h"
#include "marking.bpf.h"
#include "counts.bpf.h"
#include "active_calls.bpf.h"
#ifdef MOVES_INTO_GROUPS
#include "moved_calls.bpf.h"
#endif

#ifdef POLICY_GROUP
#include "group_walk.bpf.h"
#endif

struct hook_scratch {
	u32 users; /* with GUARD_LEVELS: programs that use this entry, or try to */
	u32 pad;
	struct string_buffer buffer;
#ifdef POLICY_GROUP
	struct group_walk walk;
#endif
	struct hook_record record;
};

enum scratch_index { SCRATCH_ENTRY = 0, SCRATCH_RETURN = 1 };

/*
 * Two per CPU, one for each program of a hook. While a program is preempted, the kernel does not start it again on the
 * same CPU (it counts a miss), but it may start the other program. The value is too big for a per-CPU map.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* set at load, like the size of the value */
	__type(key, u32);
	__type(value, struct hook_scratch);
} scratch SEC(".maps");

/* Records of calls between entry and return. The key is the stack frame. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, like the size of the value */
	__type(key, u64);
	__type(value, struct hook_record);
} pending SEC(".maps");

static __always_inline u32 scratch_slot(u32 which)
{
	return 2 * bpf_get_smp_processor_id() + which;
}

/*
 * The kernel can suspend programs on LSM hooks and uprobes, and start them again on the same CPU. On a kernel that
 * allows it, such a program runs with preemption disabled. On other kernels, it takes one of SCRATCH_LEVELS entries
 * that nobody else uses until release_scratch(). NO_SCRATCH: all are in use.
 */
enum { NO_SCRATCH = ~0U, SCRATCH_NOT_TAKEN = ~0U - 1 };

static __always_inline u32 take_level(u32 which)
{
	u32 first = SCRATCH_LEVELS * scratch_slot(which);

	for (u32 level = 0; level < SCRATCH_LEVELS; level++) {
		u32 slot = first + level;
		struct hook_scratch *s = bpf_map_lookup_elem(&scratch, &slot);

		if (!s)
			break;
		/* two programs that see each other both go on to the next entry */
		__sync_fetch_and_add(&s->users, 1);
		if (*(volatile u32 *)&s->users == 1)
			return slot;
		__sync_fetch_and_add(&s->users, -1);
	}
	return NO_SCRATCH;
}

/*
 * Nothing suspends the program between these two, if the guard is GUARD_PREEMPT. Since Linux 6.13, the stack of a
 * uprobe's program is one per CPU and program, too. A program therefore keeps nothing on its stack outside of them.
 */
static __always_inline void begin_exclusive(void)
{
#ifndef READ_PROBE
	if (config.guard == GUARD_PREEMPT)
		preempt_disable();
#endif
}

static __always_inline void end_exclusive(void)
{
#ifndef READ_PROBE
	if (config.guard == GUARD_PREEMPT)
		preempt_enable();
#endif
}

static __always_inline u32 take_scratch(u32 which)
{
	return config.guard == GUARD_LEVELS ? take_level(which) : scratch_slot(which);
}

static __always_inline void release_scratch(u32 slot)
{
	struct hook_scratch *s;

	if (slot == NO_SCRATCH || slot == SCRATCH_NOT_TAKEN)
		return;
	s = bpf_map_lookup_elem(&scratch, &slot);
	if (s)
		__sync_fetch_and_add(&s->users, -1);
}

#ifdef OLD_KERNEL
static __always_inline struct string_buffer *lookup_buffer(u32 index)
{
	struct hook_scratch *own = bpf_map_lookup_elem(&scratch, &index);

	return own ? &own->buffer : 0;
}
#endif

static __always_inline struct string_buffer *scratch_buffer(u32 slot)
{
	struct hook_scratch *s = bpf_map_lookup_elem(&scratch, &slot);

	if (!s)
		return 0;
	s->buffer.map_index = slot;
	return &s->buffer;
}

/* ---- the values of an event --------------------------------------------------------------------------------- */

/*
 * The number of bytes, or of struct iovec, in a buffer. `returned`: the number of bytes that the function has written.
 */
static __always_inline u64 buffer_size(const volatile struct value_config *value, u64 size, u64 returned)
{
	u64 filled = (s64)returned < 0 ? 0 : returned;

	return value->size_returned && size > filled ? filled : size;
}

/*
 * The address of the string of a __data_loc field. The lower half of the field is the offset, the upper half the size
 * with the NUL.
 */
static __always_inline u64 resolve_data_loc(void *ctx, u64 field, u64 *size)
{
	u32 location = 0;

	bpf_probe_read_kernel(&location, sizeof(location), (void *)field);
	*size = location >> 16;
	return (u64)ctx + (location & 0xffff);
}

/* Reads a parameter or a return value. A file descriptor may be behind a pointer. */
static __always_inline u64 read_object(void *ctx, u32 slot, u64 returned)
{
	const volatile struct value_config *value = &config.values[slot];

	if (value->read == READ_FD && value->indirect)
		return read_scalar(ctx, slot, returned);
	return read_raw_inline(ctx, slot, returned);
}

/*
 * Filters strings, paths and details in the order of config, and adds them to the record. Returns the candidates that
 * are left.
 */
static __always_inline u64 collect_objects(void *ctx, struct string_buffer *buffer, struct hook_record *record,
					   u64 candidates, enum phase phase, u64 returned)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *value;
		u32 slot, read;
		u64 raw;

		if (i >= config.objects_count)
			break;
		slot = config.objects[i].slot;
		if (slot >= HOOK_VALUES_MAX)
			return 0;
		value = &config.values[slot];
		if (!is_in_phase(value, phase))
			continue;
		if (config.counts_only && !(config.counted_slots & 1 << slot) && !config.objects[i].filtered)
			continue;
		read = value->read;
		if (phase == PHASE_RETURN && value->source != SOURCE_RETURN) {
			/* the entry has saved the address */
			const struct value *saved = value_slot(record, slot);

			raw = saved->value;
			record->size = buffer_size(value, saved->size, returned);
		} else {
			raw = read_object(ctx, slot, returned);
			if (read == READ_DATA_LOC)
				raw = resolve_data_loc(ctx, raw, &record->size);
			else if (read == READ_BUFFER || read == READ_IOVEC || read == READ_SOCKADDR_UN ||
				 read == READ_SOCKADDR_ALG)
				record->size = buffer_size(
					value, value->size_param ? read_size_param(ctx, slot) : ~0ULL, returned);
		}
		/* else the verifier checks this value again for each set of bits that the one before may have left */
		if (i)
			candidates += unknown_zero(value_slot(record, slot)->value);
		if (read < READ_FILE)
			candidates = collect_string(buffer, record, i, raw, candidates);
		else if (read < READ_SOCK)
			candidates = collect_path(buffer, record, i, raw, candidates);
		else
			candidates = collect_detail(record, i, raw, candidates);
		if (!candidates)
			return 0;
	}
	return candidates;
}

static __always_inline void collect_scalars(void *ctx, struct hook_record *record, enum phase phase, u64 returned)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *spec = &config.values[i];
		struct value *value = value_slot(record, i);

		if (i >= config.values_count)
			break;
		if (spec->read > READ_SCALAR || !is_in_phase(spec, phase))
			continue;
		if (config.counts_only && (!(config.counted_slots & 1 << i) || spec->source == SOURCE_DURATION))
			continue;
		value->value = spec->read == READ_SCALAR ? read_number(ctx, i, returned, value_slot(record, 0)) : 0;
		value->string.offset = 0;
		value->string.length = 0;
		value->string.flags = 0;
	}
}

/* Saves, for the return, the address and the size of buffers that the function fills. */
static __always_inline void save_addresses(void *ctx, struct hook_record *record)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *spec = &config.values[i];
		struct value *value = value_slot(record, i);
		u64 size = 0xffffffff;

		if (i >= config.values_count)
			break;
		if (!spec->read_at_return || spec->source == SOURCE_RETURN || spec->source == SOURCE_DURATION)
			continue;
		value->value = read_raw_value(ctx, i, 0);
		if (spec->size_param && read_size_param(ctx, i) < size)
			size = read_size_param(ctx, i);
		value->size = size;
	}
}

/* ---- the event ---------------------------------------------------------------------------------------------- */

static __always_inline void fill_event(void *ctx, struct event_hook *e, struct task_struct *task)
{
	u32 shape = config.shape;

	if (shape >= SHAPE_ATTACH_POINT)
		shape = (u16)shape | (u32)bpf_get_attach_cookie(ctx) << 16;
	e->header.type = EVENT_HOOK;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	e->hook = config.hook;
	*(u32 *)&e->values_count = shape; /* values_count and attach_point */
	e->suppressed = 0;
	__builtin_memset(&e->kernel_stack, 0, 2 * sizeof(struct string_ref));
}

static __always_inline void post_record(struct hook_record *record, u64 candidates)
{
	u32 used = at_most(record->used, config.body_size);

	record->event.matched = candidates & -candidates;
	record->event.header.size = sizeof(struct event_hook) + used;
	emit(&record->event, sizeof(struct event_hook) + used, config.hook);
}

static __always_inline void update_reported_state(struct hook_record *record, u64 candidates)
{
	if (config.change_tests)
		update_state(current_tgid(record), candidates & -candidates);
}

static __always_inline void post_event(struct hook_record *record, u64 candidates)
{
	if (config.marked)
		append_causes(record, candidates);
	post_record(record, candidates);
	update_reported_state(record, candidates);
}

/*
 * Hooks that only count, and keep only numbers, need no scratch memory where they have a record. `is_kept`: the entry
 * has stored the record for the return.
 */
static __always_inline bool start_counted_call(void *ctx, struct task_struct *task, enum phase phase, u64 candidates,
					       struct hook_record **record, bool *is_kept)
{
	if (!config.counts_only || config.objects_count || config.guard == GUARD_LEVELS)
		return false;
#ifdef HAS_ACTIVE_CALLS
	if (config.active_calls && phase == PHASE_ENTRY) {
		*record = start_call((u64)ctx, task, candidates);
		*is_kept = *record != 0;
	}
#else
	(void)ctx, (void)task, (void)candidates, (void)is_kept;
#endif
	return phase != PHASE_SINGLE && *record;
}

#ifdef HAS_NEGATIVE_CACHE
/* Most calls fail these filters, which are cheaper than reading a location. A filter of changes also stores a state. */
static __always_inline bool has_process_filters(void)
{
	return config.process_groups || config.process_tests || config.change_tests;
}

/* Finds the location of the first object. Returns true if its mount decides that no candidate matches. */
static __always_inline bool is_unmatched_by_mount(void *ctx, u64 returned, u64 candidates, struct location *at)
{
	u32 slot = config.objects[0].slot;

	locate_first(read_object(ctx, slot, returned), at);
	/* the mount of a dentry is a guess */
	return config.values[slot].read != READ_DENTRY && is_unmatched_in_mount(0, at->dentry, at->mnt, candidates);
}
#endif

/*
 * Runs the filters and builds the record. Returns the candidates that are left. At the return of a pair, `record` is
 * the record that the entry has saved; otherwise this function sets it. `is_kept`: see start_counted_call().
 */
static __always_inline u64 evaluate_hook(void *ctx, u32 which, volatile u32 *taken, enum phase phase, u64 candidates,
					 u64 returned, struct hook_record **record, bool *is_kept)
{
	struct task_struct *task = 0;
	struct hook_scratch *s;
	u32 slot;
#ifdef HAS_NEGATIVE_CACHE
	struct early_path first;
	struct location at;
	bool is_early;
#endif

	if (config.scope_tests && phase != PHASE_RETURN) {
		candidates = filter_scopes(candidates);
		if (!candidates)
			return 0;
	}
	candidates = filter_numbers(ctx, candidates, phase, returned, *record ? value_slot(*record, 0) : 0);
	if (!candidates)
		return 0;
	if (config.has_cel_entry || config.has_cel_return) {
		candidates = filter_cel(ctx, candidates, phase, returned, *record ? value_slot(*record, 0) : 0);
		if (!candidates)
			return 0;
	}
#ifdef HAS_NEGATIVE_CACHE
	is_early = phase != PHASE_RETURN && has_early_lookup(0);
	if (is_early && !has_process_filters() && is_unmatched_by_mount(ctx, returned, candidates, &at))
		return 0;
#endif
	if (phase != PHASE_RETURN) {
		task = current_task();
		candidates = filter_process(task, candidates);
		if (!candidates)
			return 0;
	}
#ifdef HAS_NEGATIVE_CACHE
	if (is_early && has_process_filters() && is_unmatched_by_mount(ctx, returned, candidates, &at))
		return 0;
#endif
	if (config.mark_tests && (phase == PHASE_SINGLE || config.marks_at_return == (phase == PHASE_RETURN))) {
		candidates = filter_marks(candidates,
					  phase == PHASE_RETURN ? bpf_get_current_pid_tgid() >> 32 : READ(task, tgid));
		if (!candidates)
			return 0;
	}
	if (start_counted_call(ctx, task, phase, candidates, record, is_kept)) {
		collect_scalars(ctx, *record, phase, returned);
		return candidates;
	}
	slot = take_scratch(which);
	if (config.guard == GUARD_LEVELS) {
		*taken = slot;
		if (slot == NO_SCRATCH) {
			count_lost_return(config.hook);
			return 0;
		}
	}
#ifdef HAS_NEGATIVE_CACHE
	if (is_early && is_first_negative(task, slot, &at, candidates, &first))
		return 0;
#endif
	s = bpf_map_lookup_elem(&scratch, &slot);
	if (!s)
		return 0;
	s->buffer.map_index = slot;
#ifdef HAS_NEGATIVE_CACHE
	if (is_early) {
		s->buffer.cache_result = first.result;
		s->buffer.walk.dentry = first.dentry;
		s->buffer.walk.mnt = first.mnt;
	}
#endif
	if (phase != PHASE_RETURN) {
		*record = &s->record;
		s->record.used = config.values_count * sizeof(struct value);
	}
	candidates = collect_objects(ctx, &s->buffer, *record, candidates, phase, returned);
	if (!candidates)
		return 0;
	collect_scalars(ctx, *record, phase, returned);
	if (phase != PHASE_RETURN && !(config.counts_only && phase == PHASE_SINGLE)) {
		fill_event(ctx, &(*record)->event, task);
		if (config.finds_owner)
			find_owner(ctx, &(*record)->event);
	}
	return candidates;
}

/* Runs the Count actions. `taken`: as in evaluate_hook(). */
static __always_inline void run_counts(struct hook_record *record, u64 candidates, u32 which, volatile u32 *taken)
{
	if (config.counts_count)
		count_call(record, candidates, config.guard == GUARD_LEVELS ? *taken : scratch_slot(which));
}

static __always_inline void count_matched(void)
{
	struct hook_counters *counted = lookup_counters();

	if (counted)
		__sync_fetch_and_add(&counted->matched, 1);
}

/* ---- the programs of a hook --------------------------------------------------------------------------------- */

/*
 * A function that ends in a jump to another function passes its stack frame on. The attach point distinguishes the two.
 */
static __always_inline u64 attach_point_frame(void *ctx, u64 frame)
{
	return frame ^ bpf_get_attach_cookie(ctx) * 0x9e3779b97f4a7c15ULL;
}

/*
 * Runs TrackSock and UntrackSock of the selector that has matched. At the return of a pair, the argument is unknown.
 * The entry therefore saves its address in the number of the value, which sockets do not use. The number is cleared
 * before the event is written.
 */
static __noinline int track_socket_argument(void *ctx, struct hook_record *record, u64 candidates, bool saved)
{
	u32 slot = config.socket_slot, selector = matched_selector(candidates);
	struct value *value = value_slot(record, slot);
	u64 sock = saved ? value->value : read_slot_sock(ctx, slot, 0);

	if (saved)
		value->value = 0;
	if (config.actions[selector].socket)
		track_socket(sock, config.actions[selector].socket);
	return 0;
}

/* As track_socket_argument(), for matchReturnActions. */
static __noinline int track_socket_at_return(struct hook_record *record, u64 candidates)
{
	struct value *value = value_slot(record, config.socket_slot);
	u32 action = config.return_actions[matched_selector(candidates)].socket;

	if (action)
		track_socket(value->value, action);
	value->value = 0;
	return 0;
}

/* Runs returnArgAction. */
static __noinline int track_returned_socket(void *ctx, struct hook_record *record, u64 returned)
{
	struct process_key owner = record->event.key;
	u64 sock = read_slot_sock(ctx, config.values_count - 1, returned);

	if (!sock)
		return 0;
	if (config.returned_socket == SOCKET_UNTRACK)
		delete_owner(sock);
	else
		store_owner(sock, &owner);
	return 0;
}

static __always_inline bool save_record(u64 frame, struct hook_record *record, u64 candidates)
{
	record->candidates = candidates;
	if (!bpf_map_update_elem(&pending, &frame, record, BPF_NOEXIST))
		return true;
	/*
	 * the table is full, or it has a record of an earlier call with the same stack frame, whose return was not seen
	 */
	if (bpf_map_update_elem(&pending, &frame, record, BPF_EXIST))
		return false;
	count_lost_return(config.hook);
	return true;
}

static __always_inline void save_for_return(void *ctx, u64 frame, struct hook_record *record, u64 candidates)
{
	save_addresses(ctx, record);
	if (config.has_actions & ACTIONS_SOCKET)
		value_slot(record, config.socket_slot)->value = read_slot_sock(ctx, config.socket_slot, 0);
	if (!save_record(frame, record, candidates))
		count_lost_pending(config.hook);
}

/*
 * Saves the record for the second program of the hook, which may sleep; the IMA hash needs this. Returns false if there
 * is nothing to defer. If this program returned a value other than 0, the second one would not run. The second one
 * therefore also overrides.
 */
static __always_inline bool defer_to_second(u64 frame, struct hook_record *record, u64 candidates)
{
	if (!(config.has_actions & ACTIONS_IMA_HASH) || !config.actions[matched_selector(candidates)].ima_hash)
		return false;
	if (config.marked)
		append_causes(record, candidates);
	if (!save_record(frame, record, candidates))
		return false;
	update_reported_state(record, candidates); /* a program that may sleep cannot use a trie */
	return true;
}

/* Returns true if the function must be overridden; `value` is then its return value. */
static __always_inline bool enforce_override(void *ctx, struct hook_record *record, u64 candidates, s32 *value)
{
	if (!enforce_entry(ctx, record, candidates) || !(config.has_actions & ACTIONS_OVERRIDE))
		return false;
	*value = config.actions[matched_selector(candidates)].override_value;
	return true;
}

/* Returns true if the group into which the hook moves has reported the call. */
static __always_inline bool is_reported_by_group(u64 frame)
{
#if defined(MOVES_INTO_GROUPS) && !defined(POLICY_GROUP)
	u64 move;

	if (!config.can_move)
		return false;
	move = current_move(config.hook);
	return move == MOVE_DONE || (move >= MOVE_FIRST && remove_mark(frame, move));
#else
	(void)frame;
	return false;
#endif
}

static __always_inline void count_hit(void)
{
	struct hook_counters *counted = lookup_counters();

	if (counted)
		__sync_fetch_and_add(&counted->hits, 1);
}

static __always_inline bool should_act_at_entry(void)
{
	return !config.pair || !config.acts_at_return;
}

static __always_inline bool run_entry(void *ctx, u64 frame, s32 *value, volatile u32 *taken)
{
	enum phase phase = config.pair ? PHASE_ENTRY : PHASE_SINGLE;
	struct hook_record *record = 0;
	bool overrides = false, is_kept = false;
	u64 candidates;
	u32 pair;

	if (config.counts_hits)
		count_hit();
	candidates = evaluate_hook(ctx, SCRATCH_ENTRY, taken, phase, config.selectors, 0, &record, &is_kept);
	if (!candidates || is_reported_by_group(frame))
		return false;
	if (config.counts_only) {
		if (should_act_at_entry())
			count_matched();
		if (!config.pair)
			run_counts(record, candidates, SCRATCH_ENTRY, taken);
		if (!config.pair || is_kept)
			return false;
	} else if (config.has_actions) {
		if (should_act_at_entry()) {
			if (config.yielding_tests)
				candidates = yield_to_acting(candidates);
			overrides = enforce_override(ctx, record, candidates, value);
			if (config.has_actions & ACTIONS_SOCKET)
				track_socket_argument(ctx, record, candidates, false);
			if (config.mark_actions)
				run_mark_actions(record, candidates, false, config.pair);
		}
		if (!config.pair)
			run_counts(record, candidates, SCRATCH_ENTRY, taken);
		if (!config.pair && !should_post(ctx, record, candidates))
			return overrides;
		if (defer_to_second(frame, record, candidates))
			return false;
	}
	pair = config.pair;
	if (pair == PAIR_BY_ATTACH_POINT)
		frame = attach_point_frame(ctx, frame);
	if (pair)
		save_for_return(ctx, frame, record, candidates);
	else
		post_event(record, candidates);
	return overrides;
}

/*
 * Decides about a call that cannot be checked, because every scratch entry is in use: it is refused as if a selector
 * that overrides had matched.
 */
static __always_inline bool override_unchecked(s32 *value)
{
	struct hook_counters *counted = lookup_counters();
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!(config.has_actions & ACTIONS_OVERRIDE) || !counted || is_monitored(counted) || is_protected(tgid))
		return false;
	for (u32 i = 0; i < HOOK_SELECTORS_MAX; i++) {
		if (!config.actions[i].overrides)
			continue;
		*value = config.actions[i].override_value;
		return true;
	}
	return false;
}

static __always_inline bool on_entry(void *ctx, u64 frame, s32 *value)
{
	volatile u32 taken; /* only with GUARD_LEVELS: other programs do not keep it in a register */
	bool overrides;

	if (config.guard == GUARD_LEVELS)
		taken = SCRATCH_NOT_TAKEN;
	overrides = run_entry(ctx, frame, value, &taken);
	if (config.guard == GUARD_LEVELS) {
		release_scratch(taken);
		if (taken == NO_SCRATCH)
			overrides = override_unchecked(value);
	}
	return overrides;
}

/* Runs the actions of the return. Returns true if an event must be posted. */
static __always_inline bool act_on_return(void *ctx, struct hook_record *record, u64 candidates, volatile u32 *taken)
{
	s32 value;

	if (config.mark_actions && (config.has_actions & ACTIONS_RETURN || !config.pair || config.acts_at_return))
		run_mark_actions(record, candidates, config.has_actions & ACTIONS_RETURN ? true : false, false);
	if (config.has_actions & ACTIONS_RETURN) {
		enforce_at_return(ctx, record, candidates);
		if (config.has_actions & ACTIONS_SOCKET)
			track_socket_at_return(record, candidates);
	} else if (!config.pair || config.acts_at_return) {
		/* the function has run; a policy that overrides here is refused at load */
		enforce_override(ctx, record, candidates, &value);
		if (config.has_actions & ACTIONS_SOCKET)
			track_socket_argument(ctx, record, candidates, config.pair);
	} else if (config.has_actions & ACTIONS_SOCKET) {
		/* the entry has run the action */
		value_slot(record, config.socket_slot)->value = 0;
	}
	run_counts(record, candidates, SCRATCH_RETURN, taken);
	return should_post(ctx, record, candidates);
}

/* Without a pair, this is the only program of the hook. The function must then not change its parameters. */
static __always_inline int run_return(void *ctx, u64 frame, u64 returned, volatile u32 *taken)
{
	enum phase phase = config.pair ? PHASE_RETURN : PHASE_SINGLE;
	u64 candidates = config.selectors;
	struct hook_record *record = 0;
	bool is_kept = false;
	u32 pair = config.pair;
#ifdef HAS_ACTIVE_CALLS
	struct active_call *call = 0;
#endif

	if (config.counts_hits && !pair)
		count_hit();
	if (pair == PAIR_BY_ATTACH_POINT)
		frame = attach_point_frame(ctx, frame);
	if (pair) {
#ifdef HAS_ACTIVE_CALLS
		if (config.active_calls)
			call = find_call(frame);
		record = call ? call_record(call) : bpf_map_lookup_elem(&pending, &frame);
#else
		record = bpf_map_lookup_elem(&pending, &frame);
#endif
		if (!record)
			return 0;
		candidates = record->candidates;
		if (config.duration)
			value_slot(record, config.duration_slot)->value =
				bpf_ktime_get_boot_ns() - record->event.header.time;
		/* the process owns the new socket, even if the filters of the return do not match */
		if (config.returned_socket)
			track_returned_socket(ctx, record, returned);
	}
	candidates = evaluate_hook(ctx, SCRATCH_RETURN, taken, phase, candidates, returned, &record, &is_kept);
	if (candidates && is_reported_by_group(frame))
		return 0;
	if (candidates && config.counts_only) {
		if (!pair || config.acts_at_return)
			count_matched();
		run_counts(record, candidates, SCRATCH_RETURN, taken);
		candidates = 0;
	}
	if (candidates && config.yielding_tests && (!pair || config.acts_at_return))
		candidates = yield_to_acting(candidates);
	if (candidates && config.has_actions && !act_on_return(ctx, record, candidates, taken))
		candidates = 0;
	if (candidates)
		post_event(record, candidates);
#ifdef HAS_ACTIVE_CALLS
	if (config.active_calls && call) {
		end_call(call);
		return 0;
	}
#endif
	if (config.pair)
		bpf_map_delete_elem(&pending, &frame);
	return 0;
}

static __always_inline int on_return(void *ctx, u64 frame, u64 returned)
{
	volatile u32 taken;
	int result;

	if (config.guard == GUARD_LEVELS)
		taken = SCRATCH_NOT_TAKEN;
	result = run_return(ctx, frame, returned, &taken);
	if (config.guard == GUARD_LEVELS)
		release_scratch(taken);
	return result;
}

#endif
