/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The scopes that cgroups are in, and with them the processes in a cgroup: a process is in the scopes of the cgroup where it
 * is at the time of the call. A cgroup without an entry is not known: it counts as a member of every scope that selects.
 */
#ifndef POLYTRACE_SCOPES_BPF_H
#define POLYTRACE_SCOPES_BPF_H

#include "common.bpf.h"

/* Every cgroup of the unified hierarchy has an entry while policies have scopes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, u64); /* the cgroup's id */
	__type(value, struct cgroup_scopes);
} cgroup_scopes SEC(".maps");

/* Where they are kept when cgroup_scopes is full, as for process_bits. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 22);
	__type(key, struct cgroup_key_more);
	__type(value, struct cgroup_scopes);
} cgroup_scopes_more SEC(".maps");

static __always_inline struct cgroup_key_more more_key(u64 id)
{
	return (struct cgroup_key_more){ .bits = 64, .id = { (u32)id, id >> 32 } };
}

static __always_inline bool scopes_overflown(void)
{
	struct control *c = shared_control();

	return c && *(volatile u32 *)&c->scopes_overflown;
}

static __always_inline struct cgroup_scopes *lookup_more_scopes(u64 id)
{
	struct cgroup_key_more key = more_key(id);

	return bpf_map_lookup_elem(&cgroup_scopes_more, &key);
}

static __always_inline struct cgroup_scopes *lookup_scopes(u64 id)
{
	struct cgroup_scopes *scopes = bpf_map_lookup_elem(&cgroup_scopes, &id);

	return scopes || !scopes_overflown() ? scopes : lookup_more_scopes(id);
}

/* The cgroup of the current thread in the unified hierarchy, also where the host has both versions. */
static __always_inline u64 current_cgroup(void)
{
#ifdef READ_PROBE
	return bpf_get_current_cgroup_id();
#else
	struct task_struct *task = current_task();

	return READ(task, cgroups->dfl_cgrp->kn->id);
#endif
}

#endif
