/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* During a scan: the sets that running processes belong to because of their arguments, see arguments.bpf.h. */
#ifndef POLYTRACE_RUNNING_ARGUMENTS_BPF_H
#define POLYTRACE_RUNNING_ARGUMENTS_BPF_H

#include "common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, u32);
	__type(value, struct process_sets);
} running_arguments SEC(".maps");

static __always_inline bool should_keep_arguments(const struct control *c)
{
	return *(volatile u32 *)&c->keeps_arguments;
}

/* True after the values of all sets have been put into the tables, until the scan is complete. */
static __always_inline bool collects_arguments(const struct control *c)
{
	return *(volatile u32 *)&c->keeps_arguments == ARGUMENTS_COLLECT;
}

static __always_inline bool is_collecting_arguments(void)
{
	struct control *c = shared_control();

	return c && collects_arguments(c);
}

static __always_inline void store_running_arguments(u32 tgid, const struct process_sets *sets)
{
	if (bpf_map_update_elem(&running_arguments, &tgid, sets, BPF_ANY))
		count_lost_pending(HOOK_PROCESS_BITS);
}

static __always_inline void delete_running_arguments(u32 tgid)
{
	bpf_map_delete_elem(&running_arguments, &tgid);
}

/* The child has the arguments of its parent. An entry of the child is that of an earlier process with its number. */
static __always_inline void copy_running_arguments(u32 from, u32 to)
{
	struct process_sets *sets = bpf_map_lookup_elem(&running_arguments, &from);

	if (sets)
		store_running_arguments(to, sets);
	else
		delete_running_arguments(to);
}

#endif
