/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The filters on strings in the program of a group. They replace filter_string(), filter_missing() and
 * filter_unknown_path() of strings.bpf.h, which includes this file.
 *
 * There are no candidate selectors here. `candidates` is the generation of the tables, so that an entry of the negative
 * cache is valid for one generation. The result is the same number, or 0 if the string leads to no rule.
 */
#ifndef POLYTRACE_GROUP_STRINGS_BPF_H
#define POLYTRACE_GROUP_STRINGS_BPF_H

#include "group_tables.bpf.h"

/* The values with filters are the first objects. The call goes on until the last one, whatever the others lead to. */
static __always_inline bool is_filtered(u32 index)
{
	return index < GROUP_STRINGS_MAX && config.objects_count > index && config.objects[index].filtered;
}

static __always_inline bool has_second_string(void)
{
	return is_filtered(1);
}

/* The number of a filtered string, from the index of its object. */
static __always_inline u32 string_number(u32 index)
{
	return has_second_string() ? index % GROUP_STRINGS_MAX : 0;
}

/* The set of a case in enum group_set_index. */
static __always_inline u32 special_set(u32 set, u32 index)
{
	return set + string_number(index) * GROUP_STRING_SETS;
}

static __always_inline void keep_sets(struct string_buffer *buffer, u32 index, u32 prefix, u32 postfix)
{
	buffer->prefix_set[string_number(index)] = prefix;
	buffer->postfix_set[string_number(index)] = postfix;
}

static __always_inline u64 filter_missing(struct string_buffer *buffer, u32 index, u64 candidates, bool is_missing)
{
	buffer->is_missing[string_number(index)] = is_missing;
	return candidates;
}

static __always_inline u64 filter_unknown_path(struct string_buffer *buffer, u32 index, u64 candidates)
{
	keep_sets(buffer, index, special_set(GROUP_UNKNOWN_STRING, index), GROUP_NO_SET);
	return candidates;
}

/* A string of at most GROUP_EQUAL_MAX bytes. A word of zeros, which is like padding, changes nothing. */
static __always_inline u64 hash_string(const struct string_buffer *buffer, u32 start, u32 length)
{
	const u64 factor = (u64)GROUP_HASH_UPPER << 32 | GROUP_HASH_LOWER;
	u64 hash = 0, power = factor;

#pragma unroll
	for (u32 i = 0; i < GROUP_EQUAL_MAX / 8; i++) {
		if (8 * i >= length)
			break;
		hash += load_word(buffer, start + 8 * i) * power;
		power *= factor;
	}
	return hash;
}

static __always_inline bool is_string_of_set(const struct group_set *set, const struct string_buffer *buffer, u32 start,
					     u32 length)
{
#pragma unroll
	for (u32 i = 0; i < GROUP_EQUAL_MAX / 8; i++) {
		if (8 * i >= length)
			break;
		if (load_word(buffer, start + 8 * i) != *(volatile u64 *)&set->string[i])
			return false;
	}
	return 8 * *(volatile u32 *)&set->string_words < length + 8;
}

static __always_inline u64 read_slot(u32 number)
{
	const volatile u64 *slot = bpf_map_lookup_elem(&group_equal, &number);

	return slot ? *slot : 0;
}

/*
 * Finds the set of a value of Equal. User space may change the slots meanwhile. A set keeps its string as long as a
 * program may see it, so the comparison decides.
 */
static __always_inline u32 find_equal_rules(const struct string_buffer *buffer, u32 start)
{
	u32 length = STRING_END - start, number, index;
	const struct group_set *set;
	u64 hash, slot;

	if (length > GROUP_EQUAL_MAX)
		return GROUP_NO_SET;
	hash = hash_string(buffer, start, length);
	number = hash >> (64 - GROUP_SLOT_BITS);
	hash <<= GROUP_SLOT_BITS;
	slot = read_slot(number);
	if ((slot ^ hash) >> 32)
		slot = read_slot(number ^ 1);
	if ((slot ^ hash) >> 32)
		return GROUP_NO_SET;
	index = slot;
	set = bpf_map_lookup_elem(&group_sets, &index);
	return set && is_string_of_set(set, buffer, start, length) ? index : GROUP_NO_SET;
}

/*
 * In the trie, Equal is a prefix that ends with the NUL that follows each string. So one look-up finds the rules of
 * Prefix and of values of Equal that are not in group_equal.
 */
static __always_inline u32 find_prefix_rules(struct string_buffer *buffer, u32 start, u32 index, u32 count,
					     bool cut_start, bool cut_end)
{
	u32 length = STRING_END - start + !cut_end;
	struct trie_key *key;

	if (cut_start) {
		key = head_key(buffer, string_number(index), count);
		return key ? lookup_rules(&group_prefix, key) : special_set(GROUP_CUT_START, index);
	}
	key = (void *)&buffer->bytes[start - 5];
	key->slot = string_number(index);
	key->prefix_bits = 8 + 8 * (count > length ? length : count);
	return lookup_rules(&group_prefix, key);
}

static __always_inline u32 find_postfix_rules(struct string_buffer *buffer, u32 start, u32 index, u32 count)
{
	struct trie_key *key = &buffer->reversed;
	u32 length = STRING_END - start, bits;

	key->slot = string_number(index);
	key->prefix_bits = 8 + 8 * (count > length ? length : count);
	/* read from memory, so that the verifier does not check the loop again for each length */
	bits = *(volatile u32 *)&key->prefix_bits;
	/* reverses eight bytes at a time; bytes before the start of the string are beyond the length of the key */
	for (u32 i = 0; i < FILTER_STRING_MAX && 8 + 8 * i < bits; i += 8) {
		const u8 *from = &buffer->bytes[STRING_END - 8 - i];
		u8 *to = &key->string[i];

		/* the words are not aligned: the compiler would access single bytes */
		opaque(from);
		opaque(to);
		*(u64 *)to = __builtin_bswap64(*(u64 *)from);
	}
	return lookup_rules(&group_postfix, key);
}

/* False: no value of Postfix is at the end of the string. */
static __always_inline bool may_end_with_postfix(const struct string_buffer *buffer, u32 start)
{
	u64 end = load_word(buffer, STRING_END - 8);

	if (start >= STRING_END)
		return false;
	return is_short_end(end >> 56) ||
	       (STRING_END - start >= GROUP_END_BYTES && is_end(end >> (64 - 8 * GROUP_END_BYTES)));
}

/* True if one of the sets has a rule, and not only further filters of rules. */
static __always_inline bool has_rules(u32 first, u32 second)
{
	const struct group_set *set = bpf_map_lookup_elem(&group_sets, &first);

	if (set && *(volatile u32 *)&set->has_rules)
		return true;
	set = bpf_map_lookup_elem(&group_sets, &second);
	return set && *(volatile u32 *)&set->has_rules;
}

/* As has_rules(), for all strings. */
static __noinline bool has_rules_of_strings(const struct string_buffer *buffer)
{
#pragma unroll
	for (u32 i = 0; i < GROUP_STRINGS_MAX; i++) {
		if (!is_filtered(i))
			break;
		if (has_rules(buffer->prefix_set[i], buffer->postfix_set[i]))
			return true;
	}
	return false;
}

/* Finds the rules of bytes[start .. STRING_END). The parameters are those of filter_string() in strings.bpf.h. */
static __always_inline u64 filter_string(struct string_buffer *buffer, u32 start, u32 index, u64 candidates,
					 struct dentry *dentry __attribute__((unused)), bool cut_start, bool cut_end,
					 bool cut_unknown)
{
	u32 prefix = GROUP_NO_SET, postfix = GROUP_NO_SET;

	if (index >= GROUP_STRINGS_MAX)
		return candidates;
	if (start < STRING_HEADROOM || start > STRING_END)
		return 0;
	/* the set of a value of Equal also has the rules with a Prefix of it */
	if (!string_number(index) && group_header.has_equal && !cut_start && !cut_end)
		prefix = find_equal_rules(buffer, start);
	if (prefix == GROUP_NO_SET && group_header.longest_prefix)
		prefix = find_prefix_rules(buffer, start, index, group_header.longest_prefix, cut_start, cut_end);
	if (group_header.longest_postfix) {
		if (!cut_end && may_end_with_postfix(buffer, start))
			postfix = find_postfix_rules(buffer, start, index, group_header.longest_postfix);
		else if (cut_end && cut_unknown)
			postfix = special_set(GROUP_CUT_END, index);
	}
	keep_sets(buffer, index, prefix, postfix);
	if (has_second_string())
		return is_filtered(index + 1) || has_rules_of_strings(buffer) ? candidates : 0;
	if (!(prefix | postfix) || (group_header.has_further && !has_rules(prefix, postfix)))
		return 0;
	return candidates;
}

#endif
