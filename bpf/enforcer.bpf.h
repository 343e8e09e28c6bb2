/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An enforcer: at the entry of a function it does to the thread what a hook of its policy has decided. */
#ifndef POLYTRACE_ENFORCER_BPF_H
#define POLYTRACE_ENFORCER_BPF_H

#include "notifications.bpf.h"

/* In frozen .rodata. */
const volatile struct enforcer_config config = {};

/* Signals the process, and says whether the function is to be overridden, and by what. */
static __always_inline bool obey(s32 *error)
{
	struct notification *taken;
	u32 hook = config.hook;
	struct hook_counters *counted = bpf_map_lookup_elem(&counters, &hook);
	bool signalled;

	if (config.counts_hits && counted)
		__sync_fetch_and_add(&counted->hits, 1);
	taken = take_notification();
	if (!taken)
		return false;
	/* what holds now counts, and not what did when it was decided */
	if (!counted || !*(volatile u64 *)&counted->enforces || is_protected(bpf_get_current_pid_tgid() >> 32))
		return false;
	signalled = taken->signal && !bpf_send_signal(taken->signal);
	if (signalled || taken->overrides)
		__sync_fetch_and_add(&counted->enforced, 1);
	*error = taken->error;
	return taken->overrides;
}

#endif
