// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* An enforcer on a kernel function, by a BPF trampoline. */
#include "enforcer.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TYPED_SEC("fentry")
int hook_entry(void *ctx __attribute__((unused)))
{
	s32 error = 0;

	enforce_notification(&error);
	return 0;
}

/*
 * Replaces hook_entry if a notification may override. If the program returns a value other than 0, the kernel does not
 * run the function.
 */
TYPED_SEC("fmod_ret")
long hook_override(void *ctx __attribute__((unused)))
{
	s32 error = 0;

	return enforce_notification(&error) ? error : 0;
}
