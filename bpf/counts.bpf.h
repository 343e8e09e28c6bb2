/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The action Count: sums in the kernel, by labels of the call. Sums are kept for each CPU and added atomically, because
 * a program can be interrupted. A key stays in its table until the hook is removed. The calls that find no room there
 * are added to count_totals, so every call is in exactly one sum.
 */
#ifndef POLYTRACE_COUNTS_BPF_H
#define POLYTRACE_COUNTS_BPF_H

#include "actions.bpf.h"

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

/* The position of bytes of the record in its body. */
static __always_inline u32 body_offset(const struct string_ref *ref, u32 size)
{
	return at_most(ref->offset - sizeof(struct event_hook), config.body_size - size);
}

struct folder_scan {
	const struct hook_record *record;
	u32 start; /* in the body */
	u32 length;
	u32 folders;
	u32 found; /* slashes so far */
	u32 at;
};

static long scan_folder(u32 i, struct folder_scan *scan)
{
	scan->at = i;
	if (i >= scan->length)
		return 1;
	if (scan->record->body[at_most(scan->start + i, config.body_size - 1)] != '/')
		return 0;
	scan->found++;
	return scan->found > scan->folders;
}

/* Bytes of the label: a path is cut before the slash that follows its last folder. */
static __noinline u32 label_length(const struct hook_record *record, u32 start, u32 length, u32 folders)
{
	struct folder_scan scan = { .record = record, .start = start, .length = length, .folders = folders };

	if (length > COUNT_TEXT_MAX)
		scan.length = COUNT_TEXT_MAX;
	if (!folders)
		return scan.length;
	REPEAT(COUNT_TEXT_MAX + 1, scan_folder, &scan);
	return at_most(scan.at, COUNT_TEXT_MAX);
}

static __always_inline u64 mix_word(u64 hash, u64 word, u64 factor, const u32 shift)
{
	hash = (hash ^ word) * factor;
	return hash ^ hash >> shift;
}

/* Hashes the bytes with the seeds of the hook. Two texts with the same hashes are very unlikely. */
static __noinline int hash_label(const struct hook_record *record, u32 start, u32 length, u64 *words)
{
	u64 a = config.count_seed[0] ^ length, b = config.count_seed[1] + length;

	for (u32 at = 0; at < COUNT_TEXT_MAX && at < length; at += sizeof(u64)) {
		u64 word = *(u64 *)&record->body[at_most(start + at, config.body_size - sizeof(u64))];
		u32 rest = length - at;

		if (rest < sizeof(u64))
			word &= (1ULL << (8 * rest)) - 1;
		a = mix_word(a, word, 0x9e3779b97f4a7c15ULL, 29);
		b = mix_word(b, word, 0xc2b2ae3d27d4eb4fULL, 31);
	}
	words[0] = a;
	words[1] = b;
	return 0;
}

static __always_inline void text_words(const struct hook_record *record, const struct value *value, u32 folders,
				       u64 *words)
{
	u32 start = body_offset(&value->string, sizeof(u64)), length = value->string.length;

	if (!value->string.offset || value->string.flags & (STRING_FAULT | STRING_UNKNOWN))
		return;
	hash_label(record, start, label_length(record, start, length, folders), words);
}

static __always_inline const struct net_detail *label_detail(const struct hook_record *record,
							     const struct value *value)
{
	return (void *)&record->body[body_offset(&value->string, DETAIL_CAPACITY)];
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

/* Constant, so that a hook has only the code for its labels. */
static __always_inline bool has_kind(enum count_label_kind kind)
{
	return config.count_kinds & 1 << kind;
}

static __always_inline void label_words(const struct hook_record *record, const volatile struct count_label *label,
					u64 *words)
{
	u32 kind = label->kind;
	const struct value *value = value_slot((void *)record, label->slot);
	s64 number;

	if (has_kind(LABEL_NUMBER) && kind == LABEL_NUMBER) {
		words[0] = value->value;
	} else if (has_kind(LABEL_TEXT) && kind == LABEL_TEXT) {
		text_words(record, value, label->folders, words);
	} else if (has_kind(LABEL_ADDRESS) && kind == LABEL_ADDRESS) {
		address_words(label_detail(record, value), label->is_destination, words);
	} else if (has_kind(LABEL_PORT) && kind == LABEL_PORT) {
		words[0] = label->is_destination ? label_detail(record, value)->destination_port
						 : label_detail(record, value)->source_port;
	} else if (has_kind(LABEL_DEVICE) && kind == LABEL_DEVICE) {
		words[0] = value->device;
	} else if (has_kind(LABEL_ERRNO) && kind == LABEL_ERRNO) {
		number = value->value;
		words[0] = number < 0 && number >= -ERROR_MAX ? -number : 0;
	} else if (has_kind(LABEL_UID) && kind == LABEL_UID) {
		words[0] = (u32)bpf_get_current_uid_gid();
	} else if (has_kind(LABEL_CGROUP) && kind == LABEL_CGROUP) {
		words[0] = current_cgroup();
	} else if (has_kind(LABEL_BINARY) || has_kind(LABEL_PARENT_BINARY)) {
		binary_words(kind == LABEL_PARENT_BINARY, words);
	}
}

/* ---- texts -------------------------------------------------------------------------------------------------- */

/* Copies the text of the label to the end of the buffer, where zeros follow. Returns its start. */
static __always_inline u32 copy_label(const struct hook_record *record, const volatile struct count_label *label,
				      struct string_buffer *buffer)
{
	const struct value *value = value_slot((void *)record, label->slot);
	u32 start = body_offset(&value->string, COUNT_TEXT_MAX);
	u32 length = label_length(record, start, value->string.length, label->folders);
	u32 to;

	length = at_most(length, COUNT_TEXT_MAX);
	to = at_most(STRING_END - length, STRING_END);
	bpf_probe_read_kernel(&buffer->bytes[to], length, &record->body[start]);
	return to;
}

static __always_inline u32 executable_path(bool of_parent, struct string_buffer *buffer)
{
	struct file *file = find_executable(of_parent);

	return at_most(resolve_path(buffer, READ(file, f_path.dentry), READ(file, f_path.mnt)), STRING_END);
}

static __always_inline bool has_texts(void)
{
	return has_kind(LABEL_TEXT) || has_kind(LABEL_BINARY) || has_kind(LABEL_PARENT_BINARY);
}

/* Stores the text of a label of a new key. `n` is the position of the label. */
static __noinline int store_text(const struct hook_record *record, u32 index, u32 n, u64 *words, u32 slot)
{
	const volatile struct count_label *label;
	struct count_text_key key = {};
	struct string_buffer *buffer;
	u32 start, kind;

	if (index >= COUNTS_MAX || n >= COUNT_LABELS_MAX)
		return 0;
	label = &config.counts[index].labels[n];
	kind = label->kind;
	if (kind != LABEL_TEXT && kind != LABEL_BINARY && kind != LABEL_PARENT_BINARY)
		return 0;
	key.words[0] = words[0];
	key.words[1] = words[1];
	key.kind = kind == LABEL_TEXT ? LABEL_TEXT : LABEL_BINARY;
	if (!(key.words[0] | key.words[1]) || bpf_map_lookup_elem(&count_texts, &key))
		return 0;
	buffer = scratch_buffer(slot);
	if (!buffer)
		return 0;
	if (has_kind(LABEL_TEXT) && kind == LABEL_TEXT)
		start = copy_label(record, label, buffer);
	else
		start = executable_path(kind == LABEL_PARENT_BINARY, buffer);
	bpf_map_update_elem(&count_texts, &key, &buffer->bytes[start], BPF_NOEXIST);
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

static __noinline int count_one(const struct hook_record *record, u32 index, u32 slot)
{
	const volatile struct count_config *count;
	struct count_key key = {};
	struct count_sum *sum = 0;
	u64 value = 0;
	u32 labels;

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
		label_words(record, &count->labels[0], &key.words[1]);
		if (labels > 1)
			label_words(record, &count->labels[1], &key.words[3]);
		if (labels > 2)
			label_words(record, &count->labels[2], &key.words[5]);
		if (labels > 3)
			label_words(record, &count->labels[3], &key.words[7]);
		sum = bpf_map_lookup_elem(&count_keys, &key);
		if (!sum)
			sum = add_key(record, &key, index, slot);
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
