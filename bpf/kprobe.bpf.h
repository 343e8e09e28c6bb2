/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parameters of a kernel function in a kprobe. */
#ifndef POLYTRACE_KPROBE_BPF_H
#define POLYTRACE_KPROBE_BPF_H

#include "probes.bpf.h"

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	u32 abi = config.syscall;

	if (abi)
		return syscall_param((void *)function_param(ctx, 0), n, abi);
	return function_param(ctx, n);
}

#endif
