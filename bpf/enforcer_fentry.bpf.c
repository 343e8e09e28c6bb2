// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* An enforcer on a kernel function, by a BPF trampoline. */
#include "enforcer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TYPED_SEC("fentry")
int hook_entry(void *ctx __attribute__((unused)))
{
	s32 error = 0;

	obey(&error);
	return 0;
}

/*
 * Used instead of hook_entry where a notification may override. If it returns a value other than 0, the function does
 * not run.
 */
TYPED_SEC("fmod_ret")
long hook_override(void *ctx __attribute__((unused)))
{
	s32 error = 0;

	return obey(&error) ? error : 0;
}
