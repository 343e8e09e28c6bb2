/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parameters and the return value of a kernel function, in the context of a BPF trampoline. */
#ifndef POLYTRACE_TRAMPOLINE_BPF_H
#define POLYTRACE_TRAMPOLINE_BPF_H

#define TRAMPOLINE
#include "context_words.bpf.h"

/* The return value follows the parameters in the context. */
static __always_inline u64 read_return_value(void *ctx)
{
	u64 word = 0;

	switch (config.params) {
		CONTEXT_CASE(6, 6 * sizeof(u64))
		CONTEXT_CASE(7, 7 * sizeof(u64))
		CONTEXT_CASE(8, 8 * sizeof(u64))
		CONTEXT_CASE(9, 9 * sizeof(u64))
		CONTEXT_CASE(10, 10 * sizeof(u64))
		CONTEXT_CASE(11, 11 * sizeof(u64))
		CONTEXT_CASE(12, 12 * sizeof(u64))
	default:
		word = context_word(ctx, config.params);
	}
	return word;
}

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	u32 abi = config.syscall;

	if (abi)
		return syscall_param((void *)context_word(ctx, 0), n, abi);
	return context_word(ctx, n);
}

#endif
