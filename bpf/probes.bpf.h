/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Parameters in kprobes and uprobes, whose context is a struct pt_regs. The including file defines hook_param. */
#ifndef POLYTRACE_PROBES_BPF_H
#define POLYTRACE_PROBES_BPF_H

#include "registers.bpf.h"

static u64 hook_param(void *ctx, u32 n);
static u64 hook_argument(void *ctx, u32 n);
static u64 hook_register(void *ctx, u32 offset);
#include "hook.bpf.h"

/* Only trampolines need a helper to read some parameters. */
static __always_inline u64 hook_argument(void *ctx, u32 n)
{
	return hook_param(ctx, n);
}

static __always_inline u64 hook_register(void *ctx, u32 offset)
{
	u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), ctx + offset);
	return word;
}

#endif
