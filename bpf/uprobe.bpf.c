// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A function of a user program. */
#define OF_PROGRAMS
#include "change.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return function_param(ctx, n);
}

/* Several processes may have the same stack address: the thread is part of the key. */
static __always_inline u64 frame_of(u64 stack)
{
	return bpf_get_current_pid_tgid() << 32 ^ stack;
}

static __always_inline u64 lowest(u64 word, u32 shift)
{
	return word << (shift & 63) >> (shift & 63);
}

/*
 * Does the assignments in their order; each one sees the results of those before. If memory cannot be read, none is
 * done.
 */
static __noinline bool change_program(void *ctx, const volatile struct selector_actions *actions)
{
	u64 registers[REGISTER_WORDS];
	u32 first, count;

	if (!(config.has_actions & ACTIONS_REGISTERS))
		return false;
	first = actions->first_assignment;
	count = actions->assignments_count;
#pragma unroll
	for (u32 place = 0; place < REGISTER_WORDS; place++)
		registers[place] = program_register(ctx, place);
	for (u32 i = 0; i < ASSIGNMENTS_MAX && i < count; i++) {
		const volatile struct assignment *each = &config.assignments[at_most(first + i, ASSIGNMENTS_MAX - 1)];
		u64 value = each->offset;

		if (each->kind != ASSIGN_CONSTANT)
			value += lowest(registers[at_most(each->from, REGISTER_WORDS - 1)], each->from_shift);
		if (each->kind == ASSIGN_MEMORY && bpf_probe_read_user(&value, sizeof(value), (void *)value))
			return false;
		registers[at_most(each->to, REGISTER_WORDS - 1)] = lowest(value, each->to_shift);
	}
#pragma unroll
	for (u32 place = 0; place < REGISTER_WORDS; place++)
		set_register(ctx, place, registers[place]);
	return true;
}

HOOK_SEC("uprobe")
int hook_entry(struct pt_regs *ctx)
{
	s32 value = 0;

	on_entry(ctx, frame_of(FRAME_AT_ENTRY(ctx)), &value);
	return 0;
}

HOOK_SEC("uretprobe")
int hook_return(struct pt_regs *ctx)
{
	return on_return(ctx, frame_of(FRAME_AT_RETURN(ctx)), PT_REGS_RC(ctx));
}
