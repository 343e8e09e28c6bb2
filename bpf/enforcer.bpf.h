/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An enforcer: at the entry of a function, it runs the action that a hook of its policy has requested for this thread.
 */
#ifndef POLYTRACE_ENFORCER_BPF_H
#define POLYTRACE_ENFORCER_BPF_H

#include "notifications.bpf.h"

/* It is in the frozen .rodata. */
const volatile struct enforcer_config config = {};

/* Signals the process. Returns whether the function must be overridden; `error` is then its return value. */
static __always_inline bool enforce_notification(s32 *error)
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
	/* the current mode decides, not the mode at the time of the notification */
	if (!counted || !*(volatile u64 *)&counted->enforces || is_protected(bpf_get_current_pid_tgid() >> 32))
		return false;
	signalled = taken->signal && !bpf_send_signal(taken->signal);
	if (signalled || taken->overrides)
		__sync_fetch_and_add(&counted->enforced, 1);
	*error = taken->error;
	return taken->overrides;
}

#endif
