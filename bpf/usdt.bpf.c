// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A static probe (USDT) of a program, traced by a uprobe. Notes in the file locate its arguments; libbpf reads the
 * notes.
 */
#define USER_PROGRAM
#include "program_registers.bpf.h"

/* sizes of libbpf's maps: user space sets the first at load; the second matters only before Linux 5.15 */
#define BPF_USDT_MAX_SPEC_CNT 1
#define BPF_USDT_MAX_IP_CNT 256
#include <bpf/usdt.bpf.h>

_Static_assert(BPF_USDT_MAX_ARG_CNT == PROBE_ARGS_MAX, "arguments of a static probe");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	long word;

	/* 0 if it cannot be read */
	bpf_usdt_arg(ctx, n, &word);
	return word;
}

/*
 * Writes an argument. It is in a register, or in memory that a register points to. The other bits of a wider register
 * do not change.
 */
static __always_inline bool set_argument(void *ctx, const struct __bpf_usdt_arg_spec *argument, u64 value)
{
	u32 unused = argument->arg_bitshift & 63, width = at_most(8 - unused / 8, 8);
	u32 index = (u16)argument->reg_off / sizeof(u64);
	u64 mask = ~0ULL >> unused, address = 0;

	if (argument->arg_type == BPF_USDT_ARG_REG_DEREF) {
		bpf_probe_read_kernel(&address, sizeof(address), ctx + argument->reg_off);
		return width && !bpf_probe_write_user((void *)(address + argument->val_off), &value, width);
	}
	if (argument->arg_type != BPF_USDT_ARG_REG || !(config.has_actions & ACTIONS_REGISTERS))
		return false;
	set_register(ctx, index, (read_register(ctx, index) & ~mask) | (value & mask));
	return true;
}

/* At load, polytrace refuses a policy that sets an argument which cannot be written. */
static __noinline bool change_program(void *ctx, const volatile struct selector_actions *actions)
{
	struct __bpf_usdt_spec *spec;
	int id;

	if (!(config.has_actions & ACTIONS_OVERRIDE))
		return false;
	id = __bpf_usdt_spec_id(ctx);
	spec = bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
	if (!spec)
		return false;
	return set_argument(ctx, &spec->args[at_most(actions->argument, BPF_USDT_MAX_ARG_CNT - 1)],
			    actions->override_value);
}

/* A function of its own because of its stack; see begin_exclusive(). */
static __noinline int on_probe(struct pt_regs *ctx)
{
	s32 value = 0;

	return on_entry(ctx, 0, &value);
}

SEC("usdt")
int hook_entry(struct pt_regs *ctx)
{
	begin_exclusive();
	on_probe(ctx);
	end_exclusive();
	return 0;
}
