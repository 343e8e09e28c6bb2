/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Parameters and result of an LSM hook: if a program returns a value other than 0, the kernel refuses the call. */
#ifndef POLYTRACE_LSM_BPF_H
#define POLYTRACE_LSM_BPF_H

#define TRAMPOLINE
#include "context_words.bpf.h"

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	return context_word(ctx, n);
}

/* The value is in this range already; the check is for the verifier. */
static __always_inline long clamp_error(long value)
{
	opaque(value);
	return value >= -ERROR_MAX && value <= 0 ? value : 0;
}

#endif
