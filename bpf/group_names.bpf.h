/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the negative cache asks about the filters of a group. name_filters.bpf.h has the answers of a single hook. */
#ifndef POLYTRACE_GROUP_NAMES_BPF_H
#define POLYTRACE_GROUP_NAMES_BPF_H

#include "group_tables.bpf.h"

/* As in name_filters.bpf.h. */
static __always_inline bool may_end_with_value(const struct group_header *header, struct dentry *dentry, u32 length,
					       const bool in_folder)
{
	u64 end = read_word(name_address(dentry, length) + length - 8);

	if (is_short_end(header, end >> 56))
		return true;
	if (length < GROUP_END_BYTES && (!in_folder || !(*(volatile u8 *)&header->short_names >> length & 1)))
		return false;
	if (length + 1 < GROUP_END_BYTES)
		return true;
	end >>= 64 - 8 * GROUP_END_BYTES;
	/* only the first byte is missing */
	if (length < GROUP_END_BYTES)
		end = (end & ~0xffULL) | '/';
	return is_end(header, end);
}

/* False: no rule matches this name, which has no path. */
static __always_inline bool may_match_bare_name(u32 index __attribute__((unused)), struct dentry *dentry, u32 length,
						u64 candidates __attribute__((unused)))
{
	const struct group_header *header = get_group_header();

	if (!header || *(volatile u8 *)&header->has_unrooted)
		return true;
	return length && header->longest_postfix && may_end_with_value(header, dentry, length, false);
}

/* False: no value of Postfix is at the end of the path of a file with this name. */
static __always_inline bool may_match_name_in_folder(u32 index __attribute__((unused)), struct dentry *dentry,
						     u64 candidates __attribute__((unused)))
{
	const struct group_header *header = get_group_header();

	return !header ||
	       (header->longest_postfix && may_end_with_value(header, dentry, READ(dentry, d_name.len), true));
}

/* The folders of the values of Equal and Prefix, with a slash at the end. The values are their lengths. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, struct trie_key);
	__type(value, u32);
} group_folders SEC(".maps");

/* As in name_filters.bpf.h. */
static __always_inline bool has_folder_values(struct string_buffer *buffer, u32 index __attribute__((unused)), u32 name)
{
	u32 start = buffer->walk.start, length = STRING_END - start - name;
	const u32 *found;
	struct trie_key *key;

	if (start < STRING_HEADROOM || start > STRING_END || length > FILTER_STRING_MAX)
		return true;
	key = (void *)&buffer->bytes[start - 5];
	key->slot = 0;
	key->prefix_bits = 8 + 8 * length;
	found = bpf_map_lookup_elem(&group_folders, key);
	return found && *found == length;
}

#endif
