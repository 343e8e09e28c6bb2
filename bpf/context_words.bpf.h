/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parameters of trampolines (which define TRAMPOLINE) and raw tracepoints. The context is an array of them, eight bytes
 * each.
 */
#ifndef POLYTRACE_CONTEXT_WORDS_BPF_H
#define POLYTRACE_CONTEXT_WORDS_BPF_H

#include "registers.bpf.h"

static u64 hook_param(void *ctx, u32 n);
static u64 hook_argument(void *ctx, u32 n);
static u64 hook_register(void *ctx, u32 offset);
#include "hook.bpf.h"

static __always_inline u64 context_word(void *ctx, u32 n)
{
	u64 word = 0;

	switch (n) {
		CONTEXT_CASE(0, 0 * sizeof(u64))
		CONTEXT_CASE(1, 1 * sizeof(u64))
		CONTEXT_CASE(2, 2 * sizeof(u64))
		CONTEXT_CASE(3, 3 * sizeof(u64))
		CONTEXT_CASE(4, 4 * sizeof(u64))
		CONTEXT_CASE(5, 5 * sizeof(u64))
	}
	return word;
}

/*
 * A trampoline does not allow a program to read some parameters directly, so a helper reads them. bpf_get_func_arg
 * exists since Linux 5.17. On older kernels, the parameter is read from the stack slot where the trampoline has saved
 * it.
 */
static __always_inline u64 hook_argument(void *ctx, u32 n)
{
#ifdef TRAMPOLINE
	u64 word = 0;

#ifdef READ_PROBE
	bpf_probe_read_kernel(&word, sizeof(word), (u64 *)ctx + n);
#else
	bpf_get_func_arg(ctx, n, &word);
#endif
	return word;
#else
	return context_word(ctx, n);
#endif
}

#ifdef READS_CALL_REGISTERS
/* The first parameter of the raw tracepoints sys_enter and sys_exit has the registers of the program. */
static __always_inline u64 hook_register(void *ctx, u32 offset)
{
	u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)(context_word(ctx, 0) + offset));
	return word;
}
#else
/* These contexts have no registers. */
static __always_inline u64 hook_register(void *ctx __attribute__((unused)), u32 offset __attribute__((unused)))
{
	return 0;
}
#endif

#endif
