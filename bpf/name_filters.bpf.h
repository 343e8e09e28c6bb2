/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the negative cache asks about the filters of a path. group_names.bpf.h has the answers of a group. */
#ifndef POLYTRACE_NAME_FILTERS_BPF_H
#define POLYTRACE_NAME_FILTERS_BPF_H

#include "string_tables.bpf.h"

/*
 * False: no value of Postfix is at the end of a string that ends with this name. `in_folder`: the string is a path, and
 * a slash is before the name.
 */
static __always_inline bool may_end_with_value(u32 index, struct dentry *dentry, u32 length, const bool in_folder)
{
	const volatile struct object_config *object = &config.objects[index];
	u32 hashed = object->postfix.hashed;
	u64 end;

	if (!hashed)
		return true;
	if (length < hashed && (!in_folder || !(object->short_names >> length & 1)))
		return false;
	if (in_folder && length + 1 < hashed)
		return true;
	end = read_word(name_address(dentry, length) + length - 8) >> (64 - 8 * hashed);
	/* only the first byte is missing */
	if (in_folder && length < hashed)
		end = (end & ~0xffULL) | '/';
	return is_in_bitmap(&object->postfix, end);
}

/* False: no candidate matches the name of this dentry, which has no path. `is_empty`: the name is known to be empty. */
static __always_inline bool may_match_bare_name(u32 index, struct dentry *dentry, bool is_empty, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];
	/* those that need a path, or that only exclude, do not match */
	u64 left = candidates & ~(object->rooted | object->excluding);
	u32 length;

	if (!left)
		return false;
	if (left & ~object->postfix.table.positive || !object->postfix.hashed)
		return true;
	length = is_empty ? 0 : READ(dentry, d_name.len);
	return length && may_end_with_value(index, dentry, length, false);
}

/* False: no value of Postfix is at the end of the path of a file with this name. */
static __always_inline bool may_match_name_in_folder(u32 index, struct dentry *dentry, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];

	return candidates & object->postfix.table.used &&
	       may_end_with_value(index, dentry, READ(dentry, d_name.len), true);
}

/* The member hash_len of an entry for a whole folder is not used: the bitmap of the filters has a constant address. */
static __always_inline u64 folder_ends(void)
{
	return 0;
}

/* As may_match_name_in_folder(). */
static __always_inline bool may_match_name_in_entry(const struct negative_entry *entry __attribute__((unused)),
						    u32 index, struct dentry *dentry, u64 candidates)
{
	return may_match_name_in_folder(index, dentry, candidates);
}

/* True if the key is one of string_prefix for a folder, or unknown. */
static __always_inline bool is_folder(const struct trie_key *key)
{
	const struct match_entry *entry;

	if (!key)
		return true;
	entry = bpf_map_lookup_elem(&string_prefix, key);
	return entry && 8 + 8 * entry->match == key->prefix_bits;
}

/*
 * True if the path, or that of another file in its folder, may be a value of Equal, or begin with a value of Prefix
 * that the folder does not begin with. A path of another file is not too long for the buffer.
 */
static __always_inline bool has_folder_values(struct string_buffer *buffer, u32 index, u32 name)
{
	return is_folder(folder_key(buffer, name, config.objects[index].slot | FOLDER_SLOT));
}

/*
 * As has_folder_values(), for the files in all folders below one that is on the path. `name`: bytes of the path after
 * that folder.
 */
static __always_inline bool has_values_below(struct string_buffer *buffer, u32 index, u32 name)
{
	return is_folder(folder_key(buffer, name, config.objects[index].slot | TREE_SLOT));
}

#endif
