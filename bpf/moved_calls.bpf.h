/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Moves a hook from a program of its own into a group (group.bpf.h) while calls run. For a while, both programs are
 * attached. Some calls run only one of them, and others run both, one right after the other. Each call must be reported
 * once.
 *
 * The program that runs first leaves a mark when it reports a call. The one that runs second removes the mark, and
 * reports the call if there was none. A mark has the stack frame, which both programs of a call have in common, and
 * the number of the move, so that a mark that nobody has removed means nothing later.
 *
 * The base sensor owns the table. Programs that use it define MOVES_INTO_GROUPS.
 */
#ifndef POLYTRACE_MOVED_CALLS_BPF_H
#define POLYTRACE_MOVED_CALLS_BPF_H

#include "common.bpf.h"

struct moved_call {
	u64 frame;
	u64 move;
};

/* Marks live for microseconds. When the hook's own program is detached, they stay, and the kernel replaces them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct moved_call);
	__type(value, u64);
} moved_calls SEC(".maps");

#ifdef MOVES_INTO_GROUPS

/* The number of the hook's move; 0 if it is not moved. */
static __always_inline u64 current_move(u32 hook)
{
	struct hook_counters *counted = bpf_map_lookup_elem(&counters, &hook);

	return counted ? *(volatile u64 *)&counted->move : 0;
}

static __noinline int leave_mark(u64 frame, u64 move)
{
	struct moved_call key = { .frame = frame, .move = move };

	bpf_map_update_elem(&moved_calls, &key, &move, BPF_ANY);
	return 0;
}

/* Returns true if the other program has reported the call. */
static __noinline bool remove_mark(u64 frame, u64 move)
{
	struct moved_call key = { .frame = frame, .move = move };

	return !bpf_map_delete_elem(&moved_calls, &key);
}

#endif

#endif
