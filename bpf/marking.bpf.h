/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Marks in a hook: the filter matchMarks, the actions Mark and Unmark, and the causes in an event. */
#ifndef POLYTRACE_MARKING_BPF_H
#define POLYTRACE_MARKING_BPF_H

#include "marks.bpf.h"
#include "record.bpf.h"
#include "scopes.bpf.h"

/* ---- containers --------------------------------------------------------------------------------------------- */

enum { CONTAINER_DEPTH_MAX = 8 }; /* cgroups between that of a process and that of its container */

enum container_search {
	CONTAINER_NONE, /* the process is in no container */
	CONTAINER_FOUND,
	CONTAINER_UNKNOWN, /* its cgroup is not known */
};

/*
 * The container of the current process: the outermost cgroup above it that is in a container. Its id stays the same
 * when a source names the container.
 */
static __noinline u32 identify_container(struct mark_owner *owner)
{
	u64 id = current_cgroup();
	struct cgroup_scopes *known = lookup_scopes(id);

	if (!known)
		return CONTAINER_UNKNOWN;
	if (known->kind == CGROUP_HOST)
		return CONTAINER_NONE;
	for (u32 i = 0; i < CONTAINER_DEPTH_MAX; i++) {
		u64 parent = known->parent;

		known = lookup_scopes(parent);
		if (!known || known->kind == CGROUP_HOST)
			break;
		id = parent;
	}
	owner->start_time = id;
	owner->tgid = 0;
	owner->slot = 0;
	return CONTAINER_FOUND;
}

/* ---- the filter --------------------------------------------------------------------------------------------- */

/* The owners of the current process. Without a container, both are the process. */
struct current_owners {
	struct mark_owner process, container;
	u32 has_container; /* enum container_search */
};

static __always_inline void find_owners(struct current_owners *owners)
{
	identify_process(&owners->process, untrusted_task());
	owners->container = owners->process;
	owners->has_container = config.container_marks ? identify_container(&owners->container) : CONTAINER_NONE;
}

enum mark_state {
	MARK_IS_UNSET = 0,
	MARK_IS_SET = 1,
	MARK_IS_UNKNOWN = 2, /* neither In nor NotIn matches */
};

/* A mark without inheritance ends at the next exec of the process. */
static __always_inline bool is_valid(const struct mark_detail *detail, u32 id, bool container)
{
	if (detail->id != id || bpf_ktime_get_boot_ns() >= *(volatile u64 *)&detail->until)
		return false;
	return detail->inherits || container || READ(untrusted_task(), self_exec_id) == detail->cause.key.exec_count;
}

/* `owner` has the slot of the mark. `marks` is the entry of the owner. */
static __always_inline u32 read_mark(struct mark_owner *owner, struct owned_marks *marks, u32 id)
{
	u32 found = *(volatile u32 *)&marks->ids[owner->slot & MARK_SLOT];
	struct mark_detail *detail;

	if (found == (id | MARK_WITHOUT_DETAIL))
		return MARK_IS_SET;
	if (found != id)
		return MARK_IS_UNSET;
	detail = bpf_map_lookup_elem(&mark_details, owner);
	return detail && is_valid(detail, id, is_container(owner)) ? MARK_IS_SET : MARK_IS_UNSET;
}

static __noinline u32 test_mark(struct current_owners *owners, u32 index)
{
	const volatile struct mark_test *test;
	struct mark_owner owner;
	struct owned_marks *marks;
	u32 id;

	if (index >= MARKS_MAX)
		return MARK_IS_UNSET;
	test = &config.marks[index];
	if (test->container && owners->has_container == CONTAINER_UNKNOWN)
		return MARK_IS_UNKNOWN;
	owner = test->container ? owners->container : owners->process;
	marks = bpf_map_lookup_elem(&owned_marks, &owner);
	if (!marks)
		return mark_words.unknown ? MARK_IS_UNKNOWN : MARK_IS_UNSET;
	id = test->id;
	owner.slot = id & MARK_SLOT;
	return read_mark(&owner, marks, id);
}

static __noinline u64 filter_all_marks(u64 candidates)
{
	u64 found[MARK_GROUPS_MAX];
	struct current_owners owners;
	u32 count = config.mark_tests;

	find_owners(&owners);
	candidates += unknown_zero(owners.process.start_time);
#pragma unroll
	for (u32 group = 0; group < MARK_GROUPS_MAX; group++)
		found[group] = unknown_zero(owners.process.start_time);
	for (u32 i = 0; i < MARKS_MAX && i < count; i++) {
		const volatile struct mark_test *test = &config.marks[i];
		u32 state = test_mark(&owners, i);
		u64 is_set = state == MARK_IS_SET ? ~0ULL : 0, is_unset = state == MARK_IS_UNSET ? ~0ULL : 0;

		/* no branch here: the verifier would follow both sides */
		opaque(is_set);
		opaque(is_unset);
#pragma unroll
		for (u32 group = 0; group < MARK_GROUPS_MAX; group++)
			found[group] |= test->in[group] & is_set;
		candidates &= ~(test->not_in & ~is_unset);
	}
#pragma unroll
	for (u32 group = 0; group < MARK_GROUPS_MAX; group++)
		candidates &= found[group] | ~config.mark_groups[group];
	return candidates;
}

/* Most processes have no marks: one counter says so. `tgid`: the current process. */
static __always_inline u64 filter_marks(u64 candidates, u32 tgid)
{
	u32 known = mark_words.counts[tgid & MARK_BUCKET] | mark_words.unknown;

	if (config.container_marks)
		return filter_all_marks(candidates);
	if (known)
		return filter_all_marks(candidates);
	return candidates & ~config.marked;
}

#define MARK_FOREVER (~0ULL)

/* ---- the actions -------------------------------------------------------------------------------------------- */

/* Describes the call in `cause`. Its first value is the first argument, unless it is read later. */
static __always_inline void describe_cause(struct hook_record *record, struct mark_cause *cause, bool at_entry)
{
	const volatile struct value_config *first = &config.values[0];
	const struct value *value = value_slot(record, 0);
	u32 offset, length;

	__builtin_memset(cause->argument, 0, MARK_ARGUMENT_BYTES);
	cause->time = record->event.header.time;
	cause->test = 0;
	cause->flags = 0;
	cause->length = 0;
	cause->read = READ_NOTHING;
	cause->is_signed = first->is_signed;
	cause->value = 0;
	bpf_get_current_comm(cause->command, MARK_COMMAND_BYTES);
#pragma unroll
	for (u32 i = 0; i < MARK_FUNCTION_BYTES; i += sizeof(u64))
		*(u64 *)&cause->function[i] = *(volatile u64 *)&config.mark_function[i];
	if (!config.values_count || (at_entry && first->read_at_return))
		return;
	cause->read = first->read;
	cause->value = value->value;
	if (first->read <= READ_SCALAR)
		return;
	length = value->string.length;
	offset = value->string.offset - sizeof(struct event_hook);
	if (length > MARK_ARGUMENT_BYTES) {
		length = MARK_ARGUMENT_BYTES;
		cause->flags = MARK_ARGUMENT_TRUNCATED;
	}
	offset = at_most(offset, config.body_size - MARK_ARGUMENT_BYTES);
	length = at_most(length, MARK_ARGUMENT_BYTES);
	cause->length = length;
	bpf_probe_read_kernel(cause->argument, length, &record->body[offset]);
}

/*
 * Sets a mark. If the mark is set already, it keeps its cause, and only its end moves. Without memory for the detail,
 * the mark has no cause and stays until its owner ends.
 */
static __noinline int set_mark(struct hook_record *record, struct mark_owner *owner, u32 index, bool at_entry)
{
	const volatile struct mark_action *action;
	u64 now = bpf_ktime_get_boot_ns(), until = MARK_FOREVER;
	struct owned_marks *marks;
	struct mark_detail *detail;
	u32 id, slot;

	if (index >= MARK_ACTIONS_MAX)
		return 0;
	action = &config.marking[index];
	id = action->id;
	slot = id & MARK_SLOT;
	if (action->duration)
		until = now + action->duration;
	marks = find_or_add_owner(owner);
	if (!marks) {
		lose_owner();
		return 0;
	}
	owner->slot = slot;
	if (*(volatile u32 *)&marks->ids[slot] == id) {
		detail = bpf_map_lookup_elem(&mark_details, owner);
		if (detail && is_valid(detail, id, is_container(owner)) && detail->inherits == action->inherits) {
			*(volatile u64 *)&detail->until = until;
			return 0;
		}
	}
	detail = (void *)reserve_bytes(record, sizeof(*detail));
	describe_cause(record, &detail->cause, at_entry);
	fill_key(&detail->cause.key, untrusted_task());
	if (is_container(owner))
		detail->cause.flags |= MARK_IN_CONTAINER;
	detail->until = until;
	detail->id = id;
	detail->inherits = action->inherits;
	if (bpf_map_update_elem(&mark_details, owner, detail, BPF_ANY)) {
		count_lost_pending(HOOK_MARKS);
		id |= MARK_WITHOUT_DETAIL;
	}
	*(volatile u32 *)&marks->ids[slot] = id;
	return 0;
}

/* The id stays in the list: another thread may set the mark at this moment. */
static __always_inline void unset_mark(struct mark_owner *owner, u32 id)
{
	struct owned_marks *marks = bpf_map_lookup_elem(&owned_marks, owner);
	u32 slot = id & MARK_SLOT;

	if (!marks)
		return;
	owner->slot = slot;
	bpf_map_delete_elem(&mark_details, owner);
	if (*(volatile u32 *)&marks->ids[slot] == (id | MARK_WITHOUT_DETAIL))
		*(volatile u32 *)&marks->ids[slot] = id;
}

static __noinline int run_mark_action(struct hook_record *record, u32 index, bool at_entry)
{
	const volatile struct mark_action *action;
	struct mark_owner owner;

	if (index >= MARK_ACTIONS_MAX)
		return 0;
	action = &config.marking[index];
	identify_process(&owner, untrusted_task());
	if (action->container && identify_container(&owner) == CONTAINER_UNKNOWN) {
		count_lost_pending(HOOK_MARKS);
		return 0;
	}
	if (action->operation == MARK_SET)
		set_mark(record, &owner, index, at_entry);
	else
		unset_mark(&owner, action->id);
	return 0;
}

/* Runs Mark and Unmark of the selector that has matched, in their order. They also run in monitor mode. */
static __noinline int run_mark_actions(struct hook_record *record, u64 candidates, bool of_return, bool at_entry)
{
	u64 matched = candidates & -candidates;
	u32 count = config.mark_actions;

	for (u32 i = 0; i < MARK_ACTIONS_MAX && i < count; i++) {
		const volatile struct mark_action *action = &config.marking[i];

		if (action->selectors & matched && action->at_return == of_return)
			run_mark_action(record, i, at_entry);
	}
	return 0;
}

/* ---- the causes in an event --------------------------------------------------------------------------------- */

/* Adds the cause of one mark to the record. Returns the number of causes that it has then. */
static __noinline u32 append_cause(struct hook_record *record, struct current_owners *owners, u32 index, u32 count)
{
	const volatile struct mark_test *test;
	struct mark_detail *detail;
	struct mark_owner owner;
	struct mark_cause *to;
	u32 id;

	if (index >= MARKS_MAX)
		return count;
	test = &config.marks[index];
	id = test->id;
	if (test_mark(owners, index) != MARK_IS_SET)
		return count;
	owner = test->container ? owners->container : owners->process;
	owner.slot = id & MARK_SLOT;
	detail = bpf_map_lookup_elem(&mark_details, &owner);
	to = (void *)reserve_bytes(record, sizeof(*to));
	if (detail && detail->id == id) {
		bpf_probe_read_kernel(to, sizeof(*to), &detail->cause);
	} else {
		__builtin_memset(to, 0, sizeof(*to));
		to->flags = MARK_CAUSE_UNKNOWN;
	}
	to->test = index;
	record->used += sizeof(*to);
	return count + 1;
}

/* Adds the causes of the marks that the selector names. They are the last part of the record; see struct mark_cause. */
static __noinline int append_causes(struct hook_record *record, u64 candidates)
{
	struct current_owners owners;
	u64 matched = candidates & -candidates;
	u32 tests = config.mark_tests, count = 0;

	if (!(config.marked & matched))
		return 0;
	find_owners(&owners);
	for (u32 i = 0; i < MARKS_MAX && i < tests && count < MARKS_REPORTED; i++) {
		const volatile struct mark_test *test = &config.marks[i];
		u64 in = 0;

#pragma unroll
		for (u32 group = 0; group < MARK_GROUPS_MAX; group++)
			in |= test->in[group];
		if (in & matched)
			count = append_cause(record, &owners, i, count);
	}
	if (!count)
		return 0;
	*(u64 *)reserve_bytes(record, sizeof(u64)) = count;
	record->used += sizeof(u64);
	record->event.header.flags |= EVENT_MARKED;
	return 0;
}

#endif
