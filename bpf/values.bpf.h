/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The values of a hook: their sources, the path of `resolve` through kernel structures, and numbers.
 *
 * The including file defines three functions. `static u64 hook_param(void *ctx, u32 n)` returns function parameter n.
 * `static u64 hook_argument(void *ctx, u32 n)` returns the same by a helper. `static u64 hook_register(void *ctx, u32
 * offset)` returns a register.
 */
#ifndef POLYTRACE_VALUES_BPF_H
#define POLYTRACE_VALUES_BPF_H

#include "path.bpf.h"

const volatile struct hook_config config = {};

/* The values that a program reads. */
enum phase {
	PHASE_WHOLE, /* all values: there is only one program */
	PHASE_ENTRY, /* the values that are known at the entry */
	PHASE_RETURN, /* the values that are known at the return only */
};

static __always_inline bool in_phase(const volatile struct value_config *value, enum phase phase)
{
	return phase == PHASE_WHOLE || value->late == (phase == PHASE_RETURN);
}

/* Reads a member. With OF_PROGRAMS, it may be in user memory. */
static __always_inline void read_member(const volatile struct value_config *value __attribute__((unused)), void *to, u32 size,
					u64 from)
{
#ifdef OF_PROGRAMS
	if (value->memory == MEMORY_USER) {
		bpf_probe_read_user(to, size, (void *)from);
		return;
	}
#endif
	bpf_probe_read_kernel(to, size, (void *)from);
}

/* Follows `resolve`. Returns 0 at a null pointer or at memory that cannot be read. */
static __noinline u64 follow_steps(u64 address, u32 slot)
{
	const volatile struct value_config *value;

	if (slot >= HOOK_VALUES_MAX)
		return 0;
	value = &config.values[slot];
	for (u32 i = 0; i < RESOLVE_STEPS_MAX && i < value->steps_count; i++) {
		if (!address)
			return 0;
		address += value->steps[i].offset;
		if (value->steps[i].follow) {
			u64 next = 0;

			read_member(value, &next, sizeof(next), address);
			address = next;
		}
	}
	return address;
}

/* A parameter or return value as it is, or the address that `resolve` leads to. */
static __always_inline u64 raw_value_inline(void *ctx, u32 slot, u64 returned)
{
	const volatile struct value_config *value = &config.values[slot];
	u32 source = value->source;
	u64 raw;

	if (source == SOURCE_PARAM)
		raw = hook_param(ctx, value->param);
	else if (source == SOURCE_RETURN)
		raw = returned;
	else if (source == SOURCE_TASK)
		raw = (u64)current_task();
	else if (source == SOURCE_FIELD)
		raw = (u64)ctx + value->field;
	else if (source == SOURCE_HELPER)
		raw = hook_argument(ctx, value->param);
	else
		raw = hook_register(ctx, value->field);
	/* a member of the struct itself, as most are: no call */
	if (value->steps_count == 1 && !value->steps[0].follow)
		return raw ? raw + value->steps[0].offset : 0;
	if (value->steps_count)
		raw = follow_steps(raw, slot);
	return raw;
}

static __always_inline u64 as_integer(u64 raw, u32 width, bool is_signed)
{
	if (width == 4)
		return is_signed ? (u64)(s64)(s32)raw : (u32)raw;
	if (width == 8) {
		/* arithmetic turns a pointer, which the policy reads as a number, into a number for the verifier */
		asm volatile("%0 = -%0\n%0 = -%0" : "+r"(raw));
		return raw;
	}
	if (width == 2)
		return is_signed ? (u64)(s64)(s16)raw : (u16)raw;
	return is_signed ? (u64)(s64)(s8)raw : (u8)raw;
}

/* The number of a system call, marked if a 32-bit program made it. */
static __noinline u64 syscall_number(u64 raw, u32 width, u32 indirect)
{
	u64 number = raw;

	if (indirect) {
		number = 0;
		bpf_probe_read_kernel(&number, at_most(width, sizeof(number)), (void *)raw);
	}
	return in_compat_syscall() ? number | SYSCALL_COMPAT : number;
}

/* A number; 0 if it cannot be read. */
static __always_inline u64 scalar_inline(void *ctx, u32 slot, u64 returned)
{
	const volatile struct value_config *value = &config.values[slot];
	u32 width = value->width;
	u64 raw = raw_value_inline(ctx, slot, returned);

	if (width > WIDTH_SYSCALL)
		return syscall_number(raw, width - WIDTH_SYSCALL, value->indirect);
	if (value->indirect) {
		u64 word = 0;

		if (width > sizeof(word))
			return 0;
		read_member(value, &word, width, raw);
		raw = word;
	}
	return as_integer(raw, width, value->is_signed);
}

/* The same out of line, for uses that few policies have: this keeps the programs small. */
static __noinline u64 raw_value(void *ctx, u32 slot, u64 returned)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	return raw_value_inline(ctx, slot, returned);
}

static __noinline u64 scalar(void *ctx, u32 slot, u64 returned)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	return scalar_inline(ctx, slot, returned);
}

static __noinline u64 size_param(void *ctx, u32 slot)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
#ifdef OF_FIELDS
	u64 size = 0;

	bpf_probe_read_kernel(&size, at_most(config.values[slot].size_width, sizeof(size)), ctx + config.values[slot].size_field);
	return size;
#else
	return hook_param(ctx, config.values[slot].size_param - 1);
#endif
}

#endif
