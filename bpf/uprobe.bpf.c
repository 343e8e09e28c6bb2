// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A function of a user program. */
#define USER_PROGRAM
#include "program_registers.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return function_param(ctx, n);
}

/* Several processes may have the same stack address: the thread is part of the key. */
static __always_inline u64 thread_frame(u64 stack)
{
	return bpf_get_current_pid_tgid() << 32 ^ stack;
}

static __always_inline u64 low_bits(u64 word, u32 shift)
{
	return word << (shift & 63) >> (shift & 63);
}

/*
 * Runs the assignments in order; each one sees the results of the earlier ones. If memory cannot be read, no register
 * is changed.
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
	for (u32 index = 0; index < REGISTER_WORDS; index++)
		registers[index] = read_register(ctx, index);
	for (u32 i = 0; i < ASSIGNMENTS_MAX && i < count; i++) {
		const volatile struct assignment *each = &config.assignments[at_most(first + i, ASSIGNMENTS_MAX - 1)];
		u64 value = each->offset;

		if (each->kind != ASSIGN_CONSTANT)
			value += low_bits(registers[at_most(each->from, REGISTER_WORDS - 1)], each->from_shift);
		if (each->kind == ASSIGN_MEMORY && bpf_probe_read_user(&value, sizeof(value), (void *)value))
			return false;
		registers[at_most(each->to, REGISTER_WORDS - 1)] = low_bits(value, each->to_shift);
	}
#pragma unroll
	for (u32 index = 0; index < REGISTER_WORDS; index++)
		set_register(ctx, index, registers[index]);
	return true;
}

/* This and on_function_return() are functions of their own because of their stack; see begin_exclusive(). */
static __noinline int on_function_entry(struct pt_regs *ctx)
{
	s32 value = 0;

	return on_entry(ctx, thread_frame(FRAME_AT_ENTRY(ctx)), &value);
}

static __noinline int on_function_return(struct pt_regs *ctx)
{
	return on_return(ctx, thread_frame(FRAME_AT_RETURN(ctx)), PT_REGS_RC(ctx));
}

HOOK_SEC("uprobe")
int hook_entry(struct pt_regs *ctx)
{
	begin_exclusive();
	on_function_entry(ctx);
	end_exclusive();
	return 0;
}

HOOK_SEC("uretprobe")
int hook_return(struct pt_regs *ctx)
{
	begin_exclusive();
	on_function_return(ctx);
	end_exclusive();
	return 0;
}
