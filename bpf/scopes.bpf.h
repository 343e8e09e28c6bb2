/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The scopes of cgroups. A process is in the scopes of its cgroup at the time of the call. A cgroup without an entry is
 * unknown: it counts as a member of every scope, except for selectors that only suppress events.
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

/* Holds the further entries when cgroup_scopes is full; see process_bits_more. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 22);
	__type(key, struct cgroup_key_more);
	__type(value, struct cgroup_scopes);
} cgroup_scopes_more SEC(".maps");

static __always_inline struct cgroup_key_more overflow_key(u64 id)
{
	return (struct cgroup_key_more){ .bits = 64, .id = { (u32)id, id >> 32 } };
}

static __always_inline bool scopes_overflowed(void)
{
	struct control *c = shared_control();

	return c && *(volatile u32 *)&c->scopes_overflowed;
}

static __always_inline struct cgroup_scopes *lookup_overflow_scopes(u64 id)
{
	struct cgroup_key_more key = overflow_key(id);

	return bpf_map_lookup_elem(&cgroup_scopes_more, &key);
}

static __always_inline struct cgroup_scopes *lookup_scopes(u64 id)
{
	struct cgroup_scopes *scopes = bpf_map_lookup_elem(&cgroup_scopes, &id);

	return scopes || !scopes_overflowed() ? scopes : lookup_overflow_scopes(id);
}

/* The cgroup of the current thread in the unified hierarchy (cgroup v2), also if the host uses both versions. */
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
