/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The action Count: sums in the kernel, by labels of the call. Sums are kept for each CPU and added atomically, because
 * a program can be interrupted. A key stays in its table until the hook is removed; see also direct_keys.bpf.h. The
 * calls that find no room there are added to count_totals, so every call is in exactly one sum.
 */
#ifndef POLYTRACE_COUNTS_BPF_H
#define POLYTRACE_COUNTS_BPF_H

#include "actions.bpf.h"
#include "direct_keys.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* set at load, like the sizes of the key and the value */
	__type(key, struct count_key);
	__type(value, struct count_sum);
} count_keys SEC(".maps");

/*
 * For each count, the calls without a key: all, if the count has no labels. The entry after the last count is zero. It
 * is the first value of new keys.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTS_MAX + 1);
	__type(key, u32);
	__type(value, struct count_sum); /* its size is set at load */
} count_totals SEC(".maps");

/* The texts of labels, which end at the first zero. There is room for those of all keys. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct count_text_key);
	__type(value, u8[COUNT_TEXT_MAX]);
} count_texts SEC(".maps");

/* The buffer of an entry of the map `scratch`; or null. */
static struct string_buffer *scratch_buffer(u32 slot);

/* ---- labels ------------------------------------------------------------------------------------------------- */

/* Constant, so that a hook has only the code for its labels. */
static __always_inline bool has_kind(enum count_label_kind kind)
{
	return config.count_kinds & 1 << kind;
}

static __always_inline u64 mix_word(u64 hash, u64 word, u64 factor, const u32 shift)
{
	hash = (hash ^ word) * factor;
	return hash ^ hash >> shift;
}

/*
 * Hashes the text with the seeds of the hook. Zeros follow the text. Two texts with the same hashes are very unlikely.
 * This and cut_label() are global functions, so that the verifier checks their loops only once.
 */
__noinline int hash_label(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	u32 start, length;
	u64 a, b;

	if (!buffer || !has_kind(LABEL_TEXT))
		return 0;
	start = at_most(buffer->label.start, STRING_END);
	length = buffer->label.length;
	a = config.count_seed[0] ^ length;
	b = config.count_seed[1] + length;
	for (u32 at = 0; at < COUNT_TEXT_MAX && at < length; at += sizeof(u64)) {
		const u8 *from = &buffer->bytes[start + at];
		u64 word;

		/* the words are not aligned: the compiler would access single bytes */
		opaque(from);
		word = *(u64 *)from;
		a = mix_word(a, word, 0x9e3779b97f4a7c15ULL, 29);
		b = mix_word(b, word, 0xc2b2ae3d27d4eb4fULL, 31);
	}
	buffer->label.words[0] = a;
	buffer->label.words[1] = b;
	return 0;
}

/* Shortens the text to the bytes before the slash that follows its last folder. */
__noinline int cut_label(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	u32 start, length, folders;
	volatile u32 *found;

	if (!buffer || !has_kind(LABEL_TEXT))
		return 0;
	start = at_most(buffer->label.start, STRING_END);
	length = buffer->label.length;
	folders = buffer->label.folders;
	found = &buffer->label.found;
	*found = 0;
	for (u32 i = 0; i < COUNT_TEXT_MAX && i < length; i++) {
		if (buffer->bytes[start + i] != '/')
			continue;
		if (*found >= folders) {
			buffer->label.length = i;
			return 0;
		}
		*found += 1;
	}
	return 0;
}

/* Copies bytes of the record to the end of the buffer, where zeros follow. */
static __always_inline void copy_text(struct string_buffer *buffer, const struct hook_record *record, u32 from,
				      u32 length)
{
	u32 start = at_most(STRING_END - length, STRING_END);

	buffer->label.start = start;
	buffer->label.length = length;
	bpf_probe_read_kernel(&buffer->bytes[start], length, &record->body[from]);
}

/* Puts the text of a label into the buffer: the first bytes of a string, or the first folders of a path. */
static __noinline int place_label(const struct hook_record *record, u32 slot, u32 folders, struct string_buffer *buffer)
{
	const struct value *value = value_slot((void *)record, slot);
	u32 from = body_offset(&value->string, COUNT_TEXT_MAX), length = at_most(value->string.length, COUNT_TEXT_MAX);

	copy_text(buffer, record, from, length);
	if (!folders)
		return 0;
	buffer->label.folders = folders;
	cut_label(PASS_BUFFER(buffer));
	if (buffer->label.length < length)
		copy_text(buffer, record, from, at_most(buffer->label.length, COUNT_TEXT_MAX));
	return 0;
}

/* `slot`: the entry of `scratch` that the program uses. */
static __noinline int text_words(const struct hook_record *record, u32 value_index, u32 folders, u32 slot, u64 *words)
{
	const struct value *value = value_slot((void *)record, value_index);
	struct string_buffer *buffer;

	if (!value->string.offset || value->string.flags & (STRING_FAULT | STRING_UNKNOWN))
		return 0;
	buffer = scratch_buffer(slot);
	if (!buffer)
		return 0;
	place_label(record, value_index, folders, buffer);
	hash_label(PASS_BUFFER(buffer));
	words[0] = buffer->label.words[0];
	words[1] = buffer->label.words[1];
	return 0;
}

static __always_inline void address_words(const struct net_detail *net, bool is_destination, u64 *words)
{
	const u8 *address = is_destination ? net->destination : net->source;

	if (net->family == 2 /* AF_INET */) {
		words[1] = (u64) * (u32 *)address << 32 | 0xffff0000;
		return;
	}
	words[0] = *(u64 *)address;
	words[1] = *(u64 *)(address + 8);
}

static __always_inline struct file *find_executable(bool of_parent)
{
	struct task_struct *task = untrusted_task();
	struct mm_struct *mm;

	if (of_parent)
		task = READ(task, real_parent);
	mm = READ(task, mm);
	return READ(mm, exe_file);
}

/* Reads through a null pointer give 0: a kernel thread executes no file. */
static __noinline int binary_words(bool of_parent, u64 *words)
{
	struct file *file = find_executable(of_parent);
	struct inode *inode = READ(file, f_inode);
	struct super_block *super = READ(inode, i_sb);

	words[0] = READ(inode, i_ino);
	words[1] = (u64)READ(super, s_dev) << 32 | READ(inode, i_generation);
	return 0;
}

/* The same number as that of bpf_get_current_uid_gid(): the initial user namespace maps each user to itself. */
static __always_inline u32 current_uid(void)
{
#ifdef READ_PROBE
	return bpf_get_current_uid_gid();
#else
	return READ(READ(untrusted_task(), cred), uid.val);
#endif
}

static __always_inline void label_words(const struct hook_record *record, const volatile struct count_label *label,
					u32 slot, u64 *words)
{
	u32 kind = label->kind;
	const struct value *value = value_slot((void *)record, label->slot);
	s64 number;

	if (has_kind(LABEL_NUMBER) && kind == LABEL_NUMBER) {
		words[0] = value->value;
	} else if (has_kind(LABEL_TEXT) && kind == LABEL_TEXT) {
		text_words(record, label->slot, label->folders, slot, words);
	} else if (has_kind(LABEL_ADDRESS) && kind == LABEL_ADDRESS) {
		address_words(detail_of(record, value), label->is_destination, words);
	} else if (has_kind(LABEL_PORT) && kind == LABEL_PORT) {
		words[0] = label->is_destination ? detail_of(record, value)->destination_port
						 : detail_of(record, value)->source_port;
	} else if (has_kind(LABEL_DEVICE) && kind == LABEL_DEVICE) {
		words[0] = value->device;
	} else if (has_kind(LABEL_ERRNO) && kind == LABEL_ERRNO) {
		number = value->value;
		words[0] = number < 0 && number >= -ERROR_MAX ? -number : 0;
	} else if (has_kind(LABEL_UID) && kind == LABEL_UID) {
		words[0] = current_uid();
	} else if (has_kind(LABEL_CGROUP) && kind == LABEL_CGROUP) {
		words[0] = current_cgroup();
	} else if (has_kind(LABEL_BINARY) || has_kind(LABEL_PARENT_BINARY)) {
		binary_words(kind == LABEL_PARENT_BINARY, words);
	}
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

static __always_inline u32 executable_path(bool of_parent, struct string_buffer *buffer)
{
	struct file *file = find_executable(of_parent);

	return at_most(resolve_path(buffer, READ(file, f_path.dentry), READ(file, f_path.mnt)), STRING_END);
}

static __always_inline bool has_texts(void)
{
	return has_kind(LABEL_TEXT) || has_kind(LABEL_BINARY) || has_kind(LABEL_PARENT_BINARY);
}

static __always_inline void set_text_key(struct count_text_key *key, const u64 *words, u32 kind)
{
	key->words[0] = words[0];
	key->words[1] = words[1];
	key->kind = kind == LABEL_TEXT ? LABEL_TEXT : LABEL_BINARY;
}

/*
 * The key is only on the stack of this function and of the next one. Up to Linux 6.7, each function in a chain of calls
 * takes a multiple of 32 bytes, and store_text() begins the longest chain.
 */
static __noinline bool needs_text(const u64 *words, u32 kind)
{
	struct count_text_key key = {};

	set_text_key(&key, words, kind);
	return (key.words[0] | key.words[1]) && !bpf_map_lookup_elem(&count_texts, &key);
}

static __noinline int add_text(const u64 *words, u32 kind, const u8 *text)
{
	struct count_text_key key = {};

	set_text_key(&key, words, kind);
	return bpf_map_update_elem(&count_texts, &key, text, BPF_NOEXIST);
}

/* Stores the text of a label of a new key. `n` is the position of the label. */
static __noinline int store_text(const struct hook_record *record, u32 index, u32 n, u64 *words, u32 slot)
{
	const volatile struct count_label *label;
	struct string_buffer *buffer;
	u32 start, kind;

	if (index >= COUNTS_MAX || n >= COUNT_LABELS_MAX)
		return 0;
	label = &config.counts[index].labels[n];
	kind = label->kind;
	if (kind != LABEL_TEXT && kind != LABEL_BINARY && kind != LABEL_PARENT_BINARY)
		return 0;
	if (!needs_text(words, kind))
		return 0;
	buffer = scratch_buffer(slot);
	if (!buffer)
		return 0;
	if (has_kind(LABEL_TEXT) && kind == LABEL_TEXT) {
		place_label(record, label->slot, label->folders, buffer);
		start = at_most(buffer->label.start, STRING_END);
	} else {
		start = executable_path(kind == LABEL_PARENT_BINARY, buffer);
	}
	add_text(words, kind, &buffer->bytes[start]);
	return 0;
}

/* ---- sums --------------------------------------------------------------------------------------------------- */

static __always_inline void add_value(struct count_sum *sum, const volatile struct count_config *count, u64 value)
{
	u32 bucket;

	__sync_fetch_and_add(&sum->calls, 1);
	if (!count->has_value)
		return;
	__sync_fetch_and_add(&sum->sum, value);
	if (!config.counts_buckets || !count->has_buckets)
		return;
	bucket = value ? first_bit(value) + 1 : 0;
	__sync_fetch_and_add(&sum->buckets[at_most(bucket, COUNT_BUCKETS - 1)], 1);
}

/* Adds a key. Returns its sum, or null if the table is full. */
static __noinline struct count_sum *add_key(const struct hook_record *record, struct count_key *key, u32 index,
					    u32 slot)
{
	u32 none = COUNTS_MAX;
	struct count_sum *zero = bpf_map_lookup_elem(&count_totals, &none);

	if (!zero)
		return 0;
	/* if another CPU is faster, its key is the one that counts */
	if (!bpf_map_update_elem(&count_keys, key, zero, BPF_NOEXIST)) {
#pragma unroll
		for (u32 n = 0; n < COUNT_LABELS_MAX && has_texts(); n++)
			store_text(record, index, n, &key->words[1 + 2 * n], slot);
	}
	return bpf_map_lookup_elem(&count_keys, key);
}

static __always_inline struct count_sum *find_sum(const struct hook_record *record, struct count_key *key, u32 index,
						  u32 slot)
{
	struct count_sum *sum = bpf_map_lookup_elem(&count_keys, key);

	return sum ? sum : add_key(record, key, index, slot);
}

#ifndef READ_PROBE
/* Adds the call to the place of its key. Returns null, or the place that the key may take. `is_added`: it was added. */
static __always_inline struct direct_key *
add_directly(const struct count_key *key, const volatile struct count_config *count, u64 value, bool *is_added)
{
	struct direct_key *place;

	if (!config.direct_keys || count->has_buckets)
		return 0;
	place = find_direct_key(key);
	if (!place || !has_key(place, key))
		return place;
	__sync_fetch_and_add(&place->calls, 1);
	if (count->has_value)
		__sync_fetch_and_add(&place->sum, value);
	*is_added = true;
	return 0;
}
#endif

static __noinline int count_one(const struct hook_record *record, u32 index, u32 slot)
{
	const volatile struct count_config *count;
	struct count_sum *sum = 0;
	struct count_key key;
	u64 value = 0;
	u32 labels;
#ifndef READ_PROBE
	struct direct_key *place;
	bool is_added = false;
#endif

	if (index >= COUNTS_MAX)
		return 0;
	count = &config.counts[index];
	labels = count->labels_count;
	if (count->has_value) {
		value = value_slot((void *)record, count->slot)->value;
		if (count->is_signed && (s64)value < 0)
			value = 0;
	}
	if (labels) {
		key.words[0] = index;
		/* the words of the labels that only other counts have are 0, too */
#pragma unroll
		for (u32 word = 1; word < COUNT_KEY_WORDS; word++) {
			if (word <= 2 * (u32)config.count_key_labels)
				*(volatile u64 *)&key.words[word] = 0;
		}
		label_words(record, &count->labels[0], slot, &key.words[1]);
		if (labels > 1)
			label_words(record, &count->labels[1], slot, &key.words[3]);
		if (labels > 2)
			label_words(record, &count->labels[2], slot, &key.words[5]);
		if (labels > 3)
			label_words(record, &count->labels[3], slot, &key.words[7]);
#ifndef READ_PROBE
		place = add_directly(&key, count, value, &is_added);
		if (is_added)
			return 0;
#endif
		sum = find_sum(record, &key, index, slot);
#ifndef READ_PROBE
		if (sum && place)
			take_direct_key(place, &key);
#endif
	}
	if (!sum)
		sum = bpf_map_lookup_elem(&count_totals, &index);
	if (sum)
		add_value(sum, count, value);
	return 0;
}

/* Runs the Count actions of the selector that has matched. `slot`: the entry of `scratch` that the program uses. */
static __always_inline void count_call(const struct hook_record *record, u64 candidates, u32 slot)
{
	u64 matched = candidates & -candidates;

#pragma unroll
	for (u32 i = 0; i < COUNTS_MAX; i++) {
		if (i >= config.counts_count)
			break;
		if (config.counts[i].selectors & matched)
			count_one(record, i, slot);
	}
}

#endif
