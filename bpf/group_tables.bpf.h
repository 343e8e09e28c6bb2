/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The tables of strings of a group, and its header. */
#ifndef POLYTRACE_GROUP_TABLES_BPF_H
#define POLYTRACE_GROUP_TABLES_BPF_H

#include "common.bpf.h"

/*
 * Values of group_prefix and group_postfix are indexes in group_sets. A key keeps its value as long as it is in a
 * table.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, struct trie_key);
	__type(value, u32);
} group_prefix SEC(".maps"), group_postfix SEC(".maps");

/*
 * The folders of the values of Equal and Prefix, with a slash at the end, and their lengths; see FOLDER_SLOT and
 * TREE_SLOT. Only the negative cache reads it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GROUP_SETS_MAX * 256); /* each value has at most 128 folders, in two slots */
	__type(key, struct trie_key);
	__type(value, u32);
} group_folders SEC(".maps");

/* A hash table of the values of Equal; see enum group_hash. A value that finds no empty slot is in group_prefix. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << GROUP_SLOT_BITS);
	__type(key, u32);
	__type(value, u64);
} group_equal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, u32);
	__type(value, struct group_set);
} group_sets SEC(".maps");

/* A variable, so that its address is a constant in the program. User space writes it while programs run. */
volatile struct group_header group_header SEC(".data.group_header") = {};

static __always_inline u32 lookup_rules(void *map, const void *key)
{
	const u32 *set = bpf_map_lookup_elem(map, key);

	return set ? *set : GROUP_NO_SET;
}

/* True if a value of Postfix with fewer than GROUP_END_BYTES bytes may end with this one. */
static __always_inline bool is_short_end(u32 last)
{
	return group_header.short_ends[last / 64 % 4] >> (last % 64) & 1;
}

/* True if a longer value of Postfix may end with these bytes. */
static __always_inline bool is_end(u32 bytes)
{
	u32 hash = hash_bytes(bytes, GROUP_END_BITS);

	return group_header.ends[hash / 64] >> (hash % 64) & 1;
}

#endif
