/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The engine of every hook: it runs the filters, the cheap ones first, and then writes the event.
 *
 * A hook starts with all its selectors as candidates, a bit each. Each filter removes the selectors that cannot match.
 * If none is left, the hook is done. The lowest remaining candidate has matched. `config` is in frozen .rodata, so the
 * verifier knows its values and removes all code that the policy does not use.
 *
 * values.bpf.h says what the including file must define.
 */
#ifndef POLYTRACE_HOOK_BPF_H
#define POLYTRACE_HOOK_BPF_H

#include "details.bpf.h"
#include "actions.bpf.h"

struct hook_scratch {
	struct text_buffer text;
	struct hook_record record;
};

enum scratch_index { SCRATCH_ENTRY = 0, SCRATCH_RETURN = 1 };

/*
 * Two per CPU, one for each program of a hook. While a program is preempted, the kernel does not start it again on the same
 * CPU (it counts a miss), but it may start the other program. The value is too big for a per-CPU map.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2); /* set at load, as the size of the value */
	__type(key, u32);
	__type(value, struct hook_scratch);
} scratch SEC(".maps");

/* Records of entries that wait for their return. The key is the stack frame. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, as the size of the value */
	__type(key, u64);
	__type(value, struct hook_record);
} pending SEC(".maps");

static __always_inline u32 own_place(u32 which)
{
	return 2 * bpf_get_smp_processor_id() + which;
}

#ifdef OLD_KERNEL
static __always_inline struct text_buffer *text_at(u32 place)
{
	struct hook_scratch *own = bpf_map_lookup_elem(&scratch, &place);

	return own ? &own->text : 0;
}
#endif

/* ---- the values of an event --------------------------------------------------------------------------------- */

/* The number of bytes, or pieces, in a buffer. `returned`: how much of it was filled. */
static __always_inline u64 filled_size(const volatile struct value_config *value, u64 size, u64 returned)
{
	u64 filled = (s64)returned < 0 ? 0 : returned;

	return value->size_returned && size > filled ? filled : size;
}

/* The place of the text of a __data_loc field. Its lower half is the offset, its upper half the size with the final NUL. */
static __always_inline u64 data_location(void *ctx, u64 field, u64 *size)
{
	u32 location = 0;

	bpf_probe_read_kernel(&location, sizeof(location), (void *)field);
	*size = location >> 16;
	return (u64)ctx + (location & 0xffff);
}

/* A parameter or a return value; the descriptor itself where it is behind a pointer. */
static __always_inline u64 raw_object(void *ctx, u32 slot, u64 returned)
{
	const volatile struct value_config *value = &config.values[slot];

	if (value->read == READ_FD && value->indirect)
		return scalar(ctx, slot, returned);
	return raw_value_inline(ctx, slot, returned);
}

/* Filters texts, paths and details in the order of config, and adds them to the record. Returns the candidates left. */
static __always_inline u64 take_objects(void *ctx, struct text_buffer *text, struct hook_record *record, u64 candidates,
					enum phase phase, u64 returned)
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
		if (!in_phase(value, phase))
			continue;
		read = value->read;
		if (phase == PHASE_RETURN && value->source != SOURCE_RETURN) {
			/* the entry has kept its address */
			const struct value *kept = value_slot(record, slot);

			raw = kept->value;
			record->size = filled_size(value, kept->size, returned);
		} else {
			raw = raw_object(ctx, slot, returned);
			if (read == READ_DATA_LOC)
				raw = data_location(ctx, raw, &record->size);
			else if (read == READ_BUFFER || read == READ_IOVEC)
				record->size = filled_size(value, value->size_param ? size_param(ctx, slot) : ~0ULL, returned);
		}
		if (read < READ_FILE)
			candidates = take_text(text, record, i, raw, candidates);
		else if (read < READ_SOCK)
			candidates = take_path(text, record, i, raw, candidates);
		else
			candidates = take_detail(record, i, raw, candidates);
		if (!candidates)
			return 0;
	}
	return candidates;
}

static __always_inline void take_scalars(void *ctx, struct hook_record *record, enum phase phase, u64 returned)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *of = &config.values[i];
		struct value *value = value_slot(record, i);

		if (i >= config.values_count)
			break;
		if (of->read > READ_SCALAR || !in_phase(of, phase))
			continue;
		value->value = of->read == READ_SCALAR ? scalar_inline(ctx, i, returned) : 0;
		value->text.offset = 0;
		value->text.length = 0;
		value->text.flags = 0;
	}
}

/* Keeps, for the return, the address and the size of buffers that the function fills. */
static __always_inline void keep_places(void *ctx, struct hook_record *record)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *of = &config.values[i];
		struct value *value = value_slot(record, i);
		u64 size = 0xffffffff;

		if (i >= config.values_count)
			break;
		if (!of->late || of->source == SOURCE_RETURN)
			continue;
		value->value = raw_value(ctx, i, 0);
		if (of->size_param && size_param(ctx, i) < size)
			size = size_param(ctx, i);
		value->size = size;
	}
}

/* ---- the event ---------------------------------------------------------------------------------------------- */

static __always_inline void fill_event(void *ctx, struct event_hook *e, struct task_struct *task)
{
	u32 shape = config.shape;

	if (shape >= SHAPE_PLACE)
		shape = (u16)shape | (u32)bpf_get_attach_cookie(ctx) << 16;
	e->header.type = EVENT_HOOK;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	e->hook = config.hook;
	*(u32 *)&e->values_count = shape; /* values_count and place */
	e->suppressed = 0;
	__builtin_memset(&e->kernel_stack, 0, 2 * sizeof(struct text_ref));
}

static __always_inline void post_only(struct hook_record *record, u64 candidates)
{
	u32 used = at_most(record->used, config.body_size);

	record->event.matched = candidates & -candidates;
	record->event.header.size = sizeof(struct event_hook) + used;
	emit(&record->event, sizeof(struct event_hook) + used, config.hook);
}

static __always_inline void remember_reported(struct hook_record *record)
{
	if (config.change_tests)
		remember_state(current_tgid(record));
}

static __always_inline void post(struct hook_record *record, u64 candidates)
{
	post_only(record, candidates);
	remember_reported(record);
}

/*
 * Runs the filters and builds the record. Returns the candidates that are left. At the return of a pair, `record` is
 * what the entry has kept; otherwise this function sets it.
 */
static __always_inline u64 evaluate(void *ctx, u32 which, enum phase phase, u64 candidates, u64 returned,
				    struct hook_record **record)
{
	struct task_struct *task = 0;
	struct hook_scratch *s;
	u32 place;
#ifdef REMEMBERS_VERDICTS
	struct first_path first;
	u32 known = PATH_PASSING;
	bool is_early;
#endif

	if (config.scope_tests && phase != PHASE_RETURN) {
		candidates = filter_scopes(candidates);
		if (!candidates)
			return 0;
	}
	candidates = filter_numbers(ctx, candidates, phase, returned);
	if (!candidates)
		return 0;
	if (config.has_cel_entry || config.has_cel_return) {
		candidates = filter_cel(ctx, candidates, phase, returned, *record ? value_slot(*record, 0) : 0);
		if (!candidates)
			return 0;
	}
	if (phase != PHASE_RETURN) {
		task = current_task();
		candidates = filter_process(task, candidates);
		if (!candidates)
			return 0;
	}
	place = own_place(which);
#ifdef REMEMBERS_VERDICTS
	is_early = phase != PHASE_RETURN && is_looked_up_early(0);
	if (is_early) {
		known = look_up_first(task, place, raw_object(ctx, config.objects[0].slot, returned), candidates, &first);
		if (known == PATH_MATCHES_NOTHING)
			return 0;
	}
#endif
	s = bpf_map_lookup_elem(&scratch, &place);
	if (!s)
		return 0;
	s->text.place = place;
#ifdef REMEMBERS_VERDICTS
	if (is_early) {
		s->text.known = known;
		s->text.walk.dentry = first.dentry;
		s->text.walk.mnt = first.mnt;
	}
#endif
	if (phase != PHASE_RETURN) {
		*record = &s->record;
		s->record.used = config.values_count * sizeof(struct value);
	}
	candidates = take_objects(ctx, &s->text, *record, candidates, phase, returned);
	if (!candidates)
		return 0;
	take_scalars(ctx, *record, phase, returned);
	if (phase != PHASE_RETURN) {
		fill_event(ctx, &(*record)->event, task);
		if (config.finds_owner)
			find_owner(ctx, &(*record)->event);
	}
	return candidates;
}

/* ---- the programs of a hook --------------------------------------------------------------------------------- */

/* A function that ends in a jump to another function passes its stack frame on: the place tells the two apart. */
static __always_inline u64 frame_of_place(void *ctx, u64 frame)
{
	return frame ^ bpf_get_attach_cookie(ctx) * 0x9e3779b97f4a7c15ULL;
}

/*
 * TrackSock and UntrackSock of the selector that has matched. At the return of a pair the argument is no longer known. The
 * entry therefore keeps its address in the value's number, which a socket does not use. It is cleared before the event is
 * written.
 */
static __noinline int track_argument(void *ctx, struct hook_record *record, u64 candidates, bool kept)
{
	u32 slot = config.socket_slot, selector = selector_of(candidates);
	struct value *value = value_slot(record, slot);
	u64 sock = kept ? value->value : sock_of_slot(ctx, slot, 0);

	if (kept)
		value->value = 0;
	if (config.actions[selector].socket)
		act_on_socket(sock, config.actions[selector].socket);
	return 0;
}

/* The same for matchReturnActions. */
static __noinline int track_at_return(struct hook_record *record, u64 candidates)
{
	struct value *value = value_slot(record, config.socket_slot);
	u32 action = config.return_actions[selector_of(candidates)].socket;

	if (action)
		act_on_socket(value->value, action);
	value->value = 0;
	return 0;
}

/* Carries out returnArgAction. */
static __noinline int track_returned(void *ctx, struct hook_record *record, u64 returned)
{
	struct process_key owner = record->event.key;
	u64 sock = sock_of_slot(ctx, config.values_count - 1, returned);

	if (!sock)
		return 0;
	if (config.returned_socket == SOCKET_UNTRACK)
		forget_owner(sock);
	else
		note_owner(sock, &owner);
	return 0;
}

static __always_inline bool keep(u64 frame, struct hook_record *record, u64 candidates)
{
	record->candidates = candidates;
	if (!bpf_map_update_elem(&pending, &frame, record, BPF_NOEXIST))
		return true;
	/* the table is full, or the return of an earlier call with the same stack frame was not seen */
	if (bpf_map_update_elem(&pending, &frame, record, BPF_EXIST))
		return false;
	count_lost_return(config.hook);
	return true;
}

static __always_inline void keep_for_return(void *ctx, u64 frame, struct hook_record *record, u64 candidates)
{
	keep_places(ctx, record);
	if (config.has_actions & ACTIONS_SOCKET)
		value_slot(record, config.socket_slot)->value = sock_of_slot(ctx, config.socket_slot, 0);
	if (!keep(frame, record, candidates))
		count_lost_pending(config.hook);
}

/*
 * Whether the hook's second program continues the work. It may sleep, which the IMA hash needs. If this program returned a
 * value other than 0, the second would not run. The second therefore also does the overriding.
 */
static __always_inline bool leave_to_second(u64 frame, struct hook_record *record, u64 candidates)
{
	if (!(config.has_actions & ACTIONS_IMA_HASH) || !config.actions[selector_of(candidates)].ima_hash)
		return false;
	if (!keep(frame, record, candidates))
		return false;
	remember_reported(record); /* the second may not use a trie */
	return true;
}

/* Returns whether the function must be overridden; `value` is then its return value. */
static __always_inline bool overriding(void *ctx, struct hook_record *record, u64 candidates, s32 *value)
{
	if (!enforce(ctx, record, candidates) || !(config.has_actions & ACTIONS_OVERRIDE))
		return false;
	*value = config.actions[selector_of(candidates)].override_value;
	return true;
}

static __always_inline void count_hit(void)
{
	struct hook_counters *counted = own_counters();

	if (counted)
		__sync_fetch_and_add(&counted->hits, 1);
}

static __always_inline bool acts_at_entry(void)
{
	return !config.pair || !config.acts_late;
}

static __always_inline bool on_entry(void *ctx, u64 frame, s32 *value)
{
	enum phase phase = config.pair ? PHASE_ENTRY : PHASE_WHOLE;
	struct hook_record *record = 0;
	bool overrides = false;
	u64 candidates;
	u32 pair;

	if (config.counts_hits)
		count_hit();
	candidates = evaluate(ctx, SCRATCH_ENTRY, phase, config.selectors, 0, &record);
	if (!candidates)
		return false;
	if (config.has_actions) {
		if (acts_at_entry()) {
			if (config.yielding_tests)
				candidates = yield_to_acting(candidates);
			overrides = overriding(ctx, record, candidates, value);
			if (config.has_actions & ACTIONS_SOCKET)
				track_argument(ctx, record, candidates, false);
		}
		if (!config.pair && !wants_event(ctx, record, candidates))
			return overrides;
		if (leave_to_second(frame, record, candidates))
			return false;
	}
	pair = config.pair;
	if (pair == PAIR_BY_PLACE)
		frame = frame_of_place(ctx, frame);
	if (pair)
		keep_for_return(ctx, frame, record, candidates);
	else
		post(record, candidates);
	return overrides;
}

/* Does the actions of the return. Returns whether an event is posted. */
static __always_inline bool act_on_return(void *ctx, struct hook_record *record, u64 candidates)
{
	s32 value;

	if (config.has_actions & ACTIONS_RETURN) {
		enforce_at_return(ctx, record, candidates);
		if (config.has_actions & ACTIONS_SOCKET)
			track_at_return(record, candidates);
	} else if (!config.pair || config.acts_late) {
		/* it is too late to override; policies that try are refused at load */
		overriding(ctx, record, candidates, &value);
		if (config.has_actions & ACTIONS_SOCKET)
			track_argument(ctx, record, candidates, config.pair);
	} else if (config.has_actions & ACTIONS_SOCKET) {
		/* the entry has done it */
		value_slot(record, config.socket_slot)->value = 0;
	}
	return wants_event(ctx, record, candidates);
}

/* Without a pair, this one program does all the work at the return. The function must then not change its parameters. */
static __always_inline int on_return(void *ctx, u64 frame, u64 returned)
{
	enum phase phase = config.pair ? PHASE_RETURN : PHASE_WHOLE;
	u64 candidates = config.selectors;
	struct hook_record *record = 0;
	u32 pair = config.pair;

	if (config.counts_hits && !pair)
		count_hit();
	if (pair == PAIR_BY_PLACE)
		frame = frame_of_place(ctx, frame);
	if (pair) {
		record = bpf_map_lookup_elem(&pending, &frame);
		if (!record)
			return 0;
		candidates = record->candidates;
		/* the process of the event owns the new socket, also if the filters of the return do not match */
		if (config.returned_socket)
			track_returned(ctx, record, returned);
	}
	candidates = evaluate(ctx, SCRATCH_RETURN, phase, candidates, returned, &record);
	if (candidates && config.yielding_tests && (!pair || config.acts_late))
		candidates = yield_to_acting(candidates);
	if (candidates && config.has_actions && !act_on_return(ctx, record, candidates))
		candidates = 0;
	if (candidates)
		post(record, candidates);
	if (config.pair)
		bpf_map_delete_elem(&pending, &frame);
	return 0;
}

#endif
