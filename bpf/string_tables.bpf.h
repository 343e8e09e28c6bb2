/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The tables of prefixes and postfixes, and the bitmap that spares a look-up in them. */
#ifndef POLYTRACE_STRING_TABLES_BPF_H
#define POLYTRACE_STRING_TABLES_BPF_H

#include "common.bpf.h"

/* string_prefix also has the folders of values; see FOLDER_SLOT. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct trie_key);
	__type(value, struct match_entry);
} string_prefix SEC(".maps"), string_postfix SEC(".maps");

static __always_inline bool is_in_bitmap(const volatile struct string_table *table, u64 bytes)
{
	u32 hash = hash_bytes(bytes, STRING_HASH_BITS);

	return table->bitmap[hash / 64] >> (hash % 64) & 1;
}

#endif
