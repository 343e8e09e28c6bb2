/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Moves a hook from a program of its own into a group (group.bpf.h) while calls run. For a while, both programs are
 * attached. Each call must be reported once. A move has these steps:
 *
 * 1. The group is attached. The kernel runs the newest program first, of a trampoline and of kprobes. So a call runs
 *    the group and then the hook's own program, or only the latter if it began earlier. The group has no rule of the
 *    hook yet.
 * 2. The hook gets the number of the move. From now on, its own program looks for a mark of the group before it reports
 *    a call. User space waits until all programs that have not seen the number have ended.
 * 3. The rules in the group are enabled. The group leaves a mark when it reports a call. User space waits again, and
 *    longer. Then each call that runs the hook's own program has run the group before, with these rules.
 * 4. The move is done: the hook's own program reports nothing more, no mark is needed, and it is detached.
 *
 * A mark has the stack frame, which both programs of a call have in common, and the number of the move. A mark is left
 * over if the kernel skips the hook's own program, because it interrupts itself. It means nothing in a later move, and
 * within this one, a call at the same frame replaces it.
 *
 * Both programs of a call run on one CPU, with only interrupts between them. The kernel's wait for programs ends early
 * for a call that the timer interrupts there (CONFIG_PREEMPT_RCU), so the second wait has a fixed time, too, which no
 * interrupt takes. Kernels that can suspend a task there have such groups of kprobes only, which they do not suspend
 * (lib/attach/hook-groups.ts).
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

/* A CPU has one mark, and one for each interrupt. The kernel replaces marks that are left over. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct moved_call);
	__type(value, u64);
} moved_calls SEC(".maps");

#ifdef MOVES_INTO_GROUPS

/* enum group_move */
static __always_inline u64 current_move(u32 hook)
{
	struct hook_counters *counted = bpf_map_lookup_elem(&counters, &hook);

	return counted ? *(volatile u64 *)&counted->move : 0;
}

#ifdef POLICY_GROUP

static __noinline int leave_mark(u64 frame, u64 move)
{
	struct moved_call key = { .frame = frame, .move = move };

	if (move >= MOVE_FIRST)
		bpf_map_update_elem(&moved_calls, &key, &move, BPF_ANY);
	return 0;
}

#else

/* Returns true if the group has reported the call. */
static __noinline bool remove_mark(u64 frame, u64 move)
{
	struct moved_call key = { .frame = frame, .move = move };

	return !bpf_map_delete_elem(&moved_calls, &key);
}

#endif

#endif

#endif
