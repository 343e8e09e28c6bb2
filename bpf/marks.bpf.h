/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The marks of processes and containers. An owner that was never marked has no entry. Two tables have the marks of an
 * owner: owned_marks lists them, for forks and for the end of the owner; mark_details decides whether one is set.
 *
 * The policies' hooks and the programs of marks.bpf.c share these tables. Only hooks with marks create them.
 */
#ifndef POLYTRACE_MARKS_BPF_H
#define POLYTRACE_MARKS_BPF_H

#include "common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct mark_owner);
	__type(value, struct owned_marks);
} owned_marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct mark_owner);
	__type(value, struct mark_detail);
} mark_details SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MARKS_MAX);
	__type(key, u32);
	__type(value, struct mark_name);
} mark_names SEC(".maps");

/* One value of zeros: what an owner begins with. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct owned_marks);
} no_marks SEC(".maps");

volatile struct mark_words mark_words SEC(".data.marks") = {};

enum {
	MARK_SLOT = MARKS_MAX - 1, /* the bits of an id that are its slot */
	MARK_BUCKET = MARK_BUCKETS - 1,
};

static __always_inline bool is_container(const struct mark_owner *owner)
{
	return !owner->tgid;
}

static __always_inline void identify_process(struct mark_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = READ(KERNEL(task_struct, task), group_leader);

	owner->start_time = READ(leader, start_boottime);
	owner->tgid = READ(task, tgid);
	owner->slot = 0;
}

/* Before an entry of the owner is stored: hooks must look for it. `by`: 1 or -1. */
static __always_inline void count_owner(const struct mark_owner *owner, s32 by)
{
	volatile u32 *counter =
		is_container(owner) ? &mark_words.containers : &mark_words.counts[owner->tgid & MARK_BUCKET];

	__sync_fetch_and_add(counter, by);
}

/* From here on, no process without an entry is known to be unmarked. */
static __always_inline void lose_owner(void)
{
	__sync_fetch_and_add(&mark_words.unknown, 1);
	count_lost_pending(HOOK_MARKS);
}

/* Returns the entry of an owner, which may be new; null if there is no memory. */
static __always_inline struct owned_marks *find_or_add_owner(const struct mark_owner *owner)
{
	struct owned_marks *marks = bpf_map_lookup_elem(&owned_marks, owner), *none;
	u32 zero = 0;

	if (marks)
		return marks;
	none = bpf_map_lookup_elem(&no_marks, &zero);
	if (!none)
		return 0;
	count_owner(owner, 1);
	/* another thread may have stored it */
	if (bpf_map_update_elem(&owned_marks, owner, none, BPF_NOEXIST))
		count_owner(owner, -1);
	return bpf_map_lookup_elem(&owned_marks, owner);
}

/* Removes all that an owner has, when the kernel frees it. */
static __always_inline void remove_owner(struct mark_owner *owner)
{
	struct owned_marks *marks = bpf_map_lookup_elem(&owned_marks, owner);

	if (!marks)
		return;
	for (u32 slot = 0; slot < MARKS_MAX; slot++) {
		if (!*(volatile u32 *)&marks->ids[slot])
			continue;
		owner->slot = slot;
		bpf_map_delete_elem(&mark_details, owner);
	}
	owner->slot = 0;
	if (!bpf_map_delete_elem(&owned_marks, owner))
		count_owner(owner, -1);
}

#endif
