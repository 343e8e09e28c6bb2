/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the negative cache asks about the filters of a group. name_filters.bpf.h has the answers of a single hook. */
#ifndef POLYTRACE_GROUP_NAMES_BPF_H
#define POLYTRACE_GROUP_NAMES_BPF_H

#include "group_tables.bpf.h"

/* As in name_filters.bpf.h. */
static __always_inline bool may_end_with_value(struct dentry *dentry, u32 length, const bool in_folder)
{
	u64 end = read_word(name_address(dentry, length) + length - 8);

	if (is_short_end(end >> 56))
		return true;
	if (length < GROUP_END_BYTES && (!in_folder || !(group_header.short_names >> length & 1)))
		return false;
	if (length + 1 < GROUP_END_BYTES)
		return true;
	end >>= 64 - 8 * GROUP_END_BYTES;
	/* only the first byte is missing */
	if (length < GROUP_END_BYTES)
		end = (end & ~0xffULL) | '/';
	return is_end(end);
}

/* As in name_filters.bpf.h. */
static __always_inline bool may_match_bare_name(u32 index __attribute__((unused)), struct dentry *dentry, bool is_empty,
						u64 candidates __attribute__((unused)))
{
	u32 length;

	if (group_header.has_unrooted)
		return true;
	if (is_empty || !group_header.longest_postfix)
		return false;
	length = READ(dentry, d_name.len);
	return length && may_end_with_value(dentry, length, false);
}

/* False: no value of Postfix is at the end of the path of a file with this name. */
static __always_inline bool may_match_name_in_folder(u32 index __attribute__((unused)), struct dentry *dentry,
						     u64 candidates __attribute__((unused)))
{
	return group_header.longest_postfix && may_end_with_value(dentry, READ(dentry, d_name.len), true);
}

/*
 * The member hash_len of an entry for a whole folder keeps these bits. They show for most names, without a look-up,
 * that no value of Postfix is at their end.
 */
static __always_inline u64 folder_ends(void)
{
	return group_header.end_pairs;
}

/* False: no value of Postfix is at the end of the path of a file with this name, for the candidates of the entry. */
static __always_inline bool may_match_name_in_entry(const struct negative_entry *entry, u32 index,
						    struct dentry *dentry, u64 candidates)
{
	u64 pairs = entry->hash_len, end;
	u32 length;

	if (!pairs)
		return false;
	length = READ(dentry, d_name.len);
	if (likely(length >= 2)) {
		end = read_word(name_address(dentry, length) + length - 8);
		if (likely(!(pairs >> hash_bytes(end >> 48, GROUP_PAIR_BITS) & 1)))
			return false;
	}
	return may_match_name_in_folder(index, dentry, candidates);
}

/* As in name_filters.bpf.h, for group_folders. */
static __always_inline bool is_folder(const struct trie_key *key)
{
	const u32 *found;

	if (!key)
		return true;
	found = bpf_map_lookup_elem(&group_folders, key);
	return found && 8 + 8 * *found == key->prefix_bits;
}

/* As in name_filters.bpf.h. */
static __always_inline bool has_folder_values(struct string_buffer *buffer, u32 index __attribute__((unused)), u32 name)
{
	return is_folder(folder_key(buffer, name, FOLDER_SLOT));
}

/* As in name_filters.bpf.h. */
static __always_inline bool has_values_below(struct string_buffer *buffer, u32 index __attribute__((unused)), u32 name)
{
	return is_folder(folder_key(buffer, name, TREE_SLOT));
}

#endif
