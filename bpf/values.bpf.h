/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reads the values of a hook: their sources, the path of `resolve` through kernel structures, and numbers.
 *
 * The including file defines three functions. `static u64 hook_param(void *ctx, u32 n)` returns function parameter n.
 * `static u64 hook_argument(void *ctx, u32 n)` returns the same by a helper. `static u64 hook_register(void *ctx, u32
 * offset)` returns a register.
 */
#ifndef POLYTRACE_VALUES_BPF_H
#define POLYTRACE_VALUES_BPF_H

#include "path.bpf.h"

const volatile struct hook_config config = {};

/* Selects the values that a program reads. */
enum phase {
	PHASE_SINGLE, /* all values: the hook has only one program */
	PHASE_ENTRY, /* the values that are known at the entry */
	PHASE_RETURN, /* the values that are known only at the return */
};

static __always_inline bool is_in_phase(const volatile struct value_config *value, enum phase phase)
{
	return phase == PHASE_SINGLE || value->read_at_return == (phase == PHASE_RETURN);
}

/* Reads a member. With USER_PROGRAM, it may be in user memory. */
static __always_inline void read_member(const volatile struct value_config *value __attribute__((unused)), void *to,
					u32 size, u64 from)
{
#ifdef USER_PROGRAM
	if (value->memory == MEMORY_USER) {
		bpf_probe_read_user(to, size, (void *)from);
		return;
	}
#endif
	bpf_probe_read_kernel(to, size, (void *)from);
}

/* Follows the steps of `resolve`. Returns 0 at a null pointer or at memory that cannot be read. */
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

/* Reads a parameter or return value without conversion, or the address that `resolve` leads to. */
static __always_inline u64 read_raw_inline(void *ctx, u32 slot, u64 returned)
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
	/* most steps are one member of the struct itself: no function call */
	if (value->steps_count == 1 && !value->steps[0].follow)
		return raw ? raw + value->steps[0].offset : 0;
	if (value->steps_count)
		raw = follow_steps(raw, slot);
	return raw;
}

static __always_inline u64 extend_integer(u64 raw, u32 width, bool is_signed)
{
	if (width == 4)
		return is_signed ? (u64)(s64)(s32)raw : (u32)raw;
	if (width == 8) {
		/* the value may be a pointer for the verifier: arithmetic makes it a number */
		asm volatile("%0 = -%0\n%0 = -%0" : "+r"(raw));
		return raw;
	}
	if (width == 2)
		return is_signed ? (u64)(s64)(s16)raw : (u16)raw;
	return is_signed ? (u64)(s64)(s8)raw : (u8)raw;
}

/*
 * The number of a system call, with SYSCALL_COMPAT if it is a 32-bit call. The kernel uses the lower half of the
 * register as a signed number, so the upper half must not hide a call.
 */
static __noinline u64 read_syscall_number(u64 raw, u32 width, u32 indirect)
{
	u64 number = raw;

	if (indirect) {
		number = 0;
		bpf_probe_read_kernel(&number, at_most(width, sizeof(number)), (void *)raw);
	}
	number = (s64)(s32)number;
	return in_compat_syscall() ? number | SYSCALL_COMPAT : number;
}

/* Reads a number. Returns 0 if it cannot be read. */
static __always_inline u64 read_scalar_inline(void *ctx, u32 slot, u64 returned)
{
	const volatile struct value_config *value = &config.values[slot];
	u32 width = value->width;
	u64 raw = read_raw_inline(ctx, slot, returned);

	if (width > WIDTH_SYSCALL)
		return read_syscall_number(raw, width - WIDTH_SYSCALL, value->indirect);
	if (value->indirect) {
		u64 word = 0;

		if (width > sizeof(word))
			return 0;
		read_member(value, &word, width, raw);
		raw = word;
	}
	return extend_integer(raw, width, value->is_signed);
}

/* The functions below are not inlined: few policies need them, and the programs stay small. */
static __noinline u64 read_raw_value(void *ctx, u32 slot, u64 returned)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	return read_raw_inline(ctx, slot, returned);
}

static __noinline u64 read_scalar(void *ctx, u32 slot, u64 returned)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	return read_scalar_inline(ctx, slot, returned);
}

/* The bytes of the register above those of the type can have any value. */
static __noinline u64 read_size_param(void *ctx, u32 slot)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
#ifdef TRACEPOINT_FIELDS
	u64 size = 0;

	bpf_probe_read_kernel(&size, at_most(config.values[slot].size_width, sizeof(size)),
			      ctx + config.values[slot].size_field);
	return size;
#else
	u64 size = hook_param(ctx, config.values[slot].size_param - 1);

#ifdef PACKET_SIZES
	if (config.values[slot].size_field) {
		/* len and data_len of struct sk_buff, which are neighbours: the bytes at `data` are the difference */
		u32 sizes[2] = {};

		bpf_probe_read_kernel(sizes, sizeof(sizes), (void *)(size + config.values[slot].size_field));
		return sizes[0] > sizes[1] ? sizes[0] - sizes[1] : 0;
	}
#endif
	return extend_integer(size, config.values[slot].size_width, false);
#endif
}

#endif
