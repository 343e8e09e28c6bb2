/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The engine behind every hook: filter, cheap first, then write the event.
 *
 * A hook starts with the set of all its selectors as candidates (a bit each). Each filter takes out the selectors that it
 * contradicts; when none is left, the hook is done. The lowest candidate that survives has matched. `config` is in
 * frozen .rodata, so the verifier knows it and cuts away what the policy does not use.
 *
 * The includer defines `static u64 hook_param(void *ctx, u32 n)`: function parameter n.
 */
#ifndef POLYTRACE_HOOK_BPF_H
#define POLYTRACE_HOOK_BPF_H

#include "path.bpf.h"

const volatile struct hook_config config = {};

enum {
	TEXT_ROOM = 4096, /* a text and one byte more */
	BODY_MAX = HOOK_ARGS_MAX * sizeof(struct arg_value) + TEXT_ARGS_MAX * TEXT_ROOM,
};

/* What is kept of an entry until its return, and the record that is written out. */
struct hook_record {
	u64 candidates;
	struct event_hook event;
	u8 body[BODY_MAX]; /* args, then text; as long as config says */
};

struct hook_scratch {
	struct text_buffer text;
	struct hook_record record;
};

enum scratch_index { SCRATCH_ENTRY = 0, SCRATCH_RETURN = 1 };

/*
 * Per CPU and per program: a program that is preempted here is not entered again on this CPU (the kernel counts that
 * as a miss), but another program of the same hook may be.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct hook_scratch); /* size set at load */
} scratch SEC(".maps");

struct equal_key {
	u8 slot;
	u8 text[STRING_BYTES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, as the size of the key */
	__type(key, struct equal_key);
	__type(value, struct text_verdict);
} text_equal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct trie_key);
	__type(value, struct text_verdict);
} text_prefix SEC(".maps"), text_postfix SEC(".maps");

/* Entries that wait for their return, by stack frame. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, as the size of the value */
	__type(key, u64);
	__type(value, struct hook_record);
} pending SEC(".maps");

/* ---- integers -------------------------------------------------------------------------------------------- */

static __always_inline u64 as_integer(u64 raw, u32 type)
{
	if (type == ARG_INT || type == ARG_FD)
		return (u64)(s64)(s32)raw;
	if (type == ARG_UINT32)
		return (u32)raw;
	return raw;
}

static __always_inline bool int_test_holds(const volatile struct int_test *test, u64 value)
{
	u32 op = test->op;
	u64 against = test->value;

	if (op == INT_EQUAL)
		return value == against;
	if (op == INT_MASK)
		return value & against;
	if (op == INT_GREATER)
		return value > against;
	if (op == INT_LESS)
		return value < against;
	if (op == INT_GREATER_SIGNED)
		return (s64)value > (s64)against;
	return (s64)value < (s64)against;
}

static __always_inline u64 filter_group(u64 candidates, u32 index, u64 value)
{
	const volatile struct int_group *group = &config.groups[index];
	u32 first = group->first, count = group->count;
	u64 hits = 0;

	for (u32 i = 0; i < INT_TESTS_MAX && i < count; i++) {
		const volatile struct int_test *test = &config.tests[first + i];

		if (int_test_holds(test, value))
			hits |= test->selectors;
	}
	return group->negate ? candidates & ~hits : candidates & (hits | ~group->selectors);
}

static __always_inline bool is_integer(u32 type)
{
	return type == ARG_INT || type == ARG_UINT32 || type == ARG_SIZE_T;
}

static __always_inline u64 filter_integers(void *ctx, u64 candidates, u32 group)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_ARGS_MAX; i++) {
		u32 count, type;
		u64 value;

		if (i >= config.args_count)
			break;
		count = config.args[i].int_groups;
		if (!count)
			continue;
		type = config.args[i].type;
		value = as_integer(hook_param(ctx, config.args[i].param), type);
		for (u32 j = 0; j < INT_GROUPS_MAX && j < count; j++) {
			candidates = filter_group(candidates, group++, value);
			if (!candidates)
				return 0;
		}
	}
	return candidates;
}

static __always_inline u32 return_group(void)
{
	u32 index = config.pid_groups;

#pragma unroll
	for (u32 i = 0; i < HOOK_ARGS_MAX; i++) {
		if (i >= config.args_count)
			break;
		index += config.args[i].int_groups;
	}
	return index;
}

static __always_inline u64 filter_return(u64 candidates, u64 value)
{
	u32 count = config.return_groups, group;

	if (!count)
		return candidates;
	group = return_group();
	for (u32 i = 0; i < INT_GROUPS_MAX && i < count; i++)
		candidates = filter_group(candidates, group + i, value);
	return candidates;
}

/* ---- the process ----------------------------------------------------------------------------------------- */

static __always_inline u64 filter_binaries(u64 candidates, u32 tgid)
{
	const struct binary_bits *bits = bpf_map_lookup_elem(&binary_bits, &tgid);
	u64 words[BINARY_WORDS] = {};
	u32 count = config.binary_tests;

	/* a process without an entry is in no set */
	if (bits)
		__builtin_memcpy(words, bits->words, sizeof(words));
	for (u32 i = 0; i < BINARY_TESTS_MAX && i < count; i++) {
		u32 set = config.binaries[i].set;
		bool in = (words[(set / 64) % BINARY_WORDS] >> (set % 64)) & 1;

		if (in == !!config.binaries[i].negate)
			candidates &= ~config.binaries[i].selectors;
	}
	return candidates;
}

static __always_inline u64 filter_process(struct task_struct *task, u64 candidates)
{
	u32 tgid, count = config.pid_groups;

	if (!config.self_tgid && !count && !config.binary_tests)
		return candidates;
	tgid = READ(task, tgid);
	if (tgid == config.self_tgid)
		return 0;
	for (u32 i = 0; i < INT_GROUPS_MAX && i < count; i++)
		candidates = filter_group(candidates, i, tgid);
	if (candidates && config.binary_tests)
		candidates = filter_binaries(candidates, tgid);
	return candidates;
}

/* ---- text ------------------------------------------------------------------------------------------------ */

static __always_inline u64 apply_table(u64 candidates, const volatile struct text_table *table,
				       const struct text_verdict *verdict)
{
	if (!verdict)
		return candidates & ~table->positive;
	return candidates & (verdict->match | ~table->positive) & ~verdict->reject;
}

/* bytes[start .. TEXT_END) against the tables of one argument */
static __always_inline u64 filter_text(struct text_buffer *text, u32 start, const volatile struct text_config *arg,
				       u64 candidates)
{
	u32 length = TEXT_END - start;

	if (start < TEXT_LEAD || start > TEXT_END)
		return 0;
	text->bytes[start - 1] = arg->slot;

	if (arg->equal.used && candidates & arg->equal.used) {
		const struct text_verdict *verdict = 0;

		if (length <= arg->equal.longest)
			verdict = bpf_map_lookup_elem(&text_equal, &text->bytes[start - 1]);
		candidates = apply_table(candidates, &arg->equal, verdict);
	}
	if (arg->prefix.used && candidates & arg->prefix.used) {
		struct trie_key *key = (void *)&text->bytes[start - 5];
		u32 count = arg->prefix.longest;

		if (count > length)
			count = length;
		key->prefix_bits = 8 + 8 * count;
		candidates = apply_table(candidates, &arg->prefix, bpf_map_lookup_elem(&text_prefix, key));
	}
	if (arg->postfix.used && candidates & arg->postfix.used) {
		struct trie_key *key = &text->reversed;
		u32 count = arg->postfix.longest;

		/* backwards, eight bytes a time; what is read beyond the text's start is beyond the key's length */
		for (u32 i = 0; i < FILTER_TEXT_MAX && i < count; i += 8) {
			u64 word = *(u64 *)&text->bytes[TEXT_END - 8 - i];

			*(u64 *)((void *)key->text + i) = __builtin_bswap64(word);
		}
		if (count > length)
			count = length;
		key->slot = arg->slot;
		key->prefix_bits = 8 + 8 * count;
		candidates = apply_table(candidates, &arg->postfix, bpf_map_lookup_elem(&text_postfix, key));
	}
	return candidates;
}

static __always_inline struct arg_value *arg_slot(struct hook_record *record, u32 slot)
{
	return (void *)&record->body[(slot % HOOK_ARGS_MAX) * sizeof(struct arg_value)];
}

static __always_inline void set_text(struct arg_value *value, u32 used, u32 length, u32 flags)
{
	value->text.offset = sizeof(struct event_hook) + used;
	value->text.length = length;
	value->text.flags = flags;
}

struct location {
	struct dentry *dentry;
	struct vfsmount *mnt;
};

static __always_inline struct file *file_of_descriptor(s32 fd)
{
	struct task_struct *task = current_task();
	struct files_struct *files = READ(task, files);
	struct fdtable *table;
	struct file **slots, *file = 0;

	if (!files || fd < 0)
		return 0;
	table = READ(files, fdt);
	if ((u32)fd >= READ(table, max_fds))
		return 0;
	slots = READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &slots[fd]);
	return file;
}

static __always_inline bool locate(u64 raw, u32 type, struct location *at)
{
	struct path *path;

	if (type == ARG_PATH) {
		path = KERNEL(path, raw);
		if (!raw)
			return false;
		at->dentry = READ(path, dentry);
		at->mnt = READ(path, mnt);
	} else {
		struct file *file = type == ARG_FD ? file_of_descriptor(raw) : (void *)raw;

		if (!file)
			return false;
		file = KERNEL(file, file);
		at->dentry = READ(file, f_path.dentry);
		at->mnt = READ(file, f_path.mnt);
	}
	return at->dentry && at->mnt;
}

static __always_inline void describe_inode(struct arg_value *value, struct dentry *dentry)
{
	struct inode *inode;
	struct super_block *sb;

	dentry = KERNEL(dentry, dentry);
	inode = READ(dentry, d_inode);
	if (!inode)
		return;
	value->value = READ(inode, i_ino);
	value->mode = READ(inode, i_mode);
	sb = READ(inode, i_sb);
	value->magic = READ(sb, s_magic);
}

/* Resolves a path, filters it and, when a candidate is left, adds it to the record. */
static __always_inline u64 take_path(struct hook_scratch *s, const volatile struct text_config *arg, u64 raw,
				     u64 candidates, u32 *used)
{
	struct arg_value *value = arg_slot(&s->record, arg->slot);
	struct location at = {};
	u32 start = TEXT_END, length, flags = TEXT_FAULT;

	if (locate(raw, arg->type, &at)) {
		start = resolve_path(&s->text, at.dentry, at.mnt);
		flags = s->text.walk.flags;
	}
	if (arg->filtered) {
		candidates = filter_text(&s->text, start, arg, candidates);
		if (!candidates)
			return 0;
	}
	value->value = 0;
	value->mode = 0;
	value->magic = 0;
	value->fd = arg->type == ARG_FD ? (s32)raw : -1;
	if (flags != TEXT_FAULT)
		describe_inode(value, at.dentry);
	length = at_most(TEXT_END - start, PATH_BYTES_MAX + 1);
	start = at_most(start, TEXT_END);
	*used = at_most(*used, config.body_size - TEXT_ROOM);
	bpf_probe_read_kernel(&s->record.body[*used], length, &s->text.bytes[start]);
	set_text(value, *used, length, flags);
	*used += length;
	return candidates;
}

static __always_inline u64 take_string(struct hook_scratch *s, const volatile struct text_config *arg, u64 raw,
				       u64 candidates, u32 *used)
{
	struct arg_value *value = arg_slot(&s->record, arg->slot);
	void *from = (void *)raw;
	u32 length = 0, flags = 0;
	long got;
	u8 *to;

	if (arg->type == ARG_FILENAME) {
		struct filename *name = KERNEL(filename, raw);

		from = raw ? (void *)READ(name, name) : 0;
	}
	*used = at_most(*used, config.body_size - TEXT_ROOM);
	to = &s->record.body[*used];
	if (arg->user)
		got = bpf_probe_read_user_str(to, STRING_BYTES_MAX + 1, from);
	else
		got = bpf_probe_read_kernel_str(to, STRING_BYTES_MAX + 1, from);
	if (got < 0)
		flags = TEXT_FAULT;
	else if (got > 0)
		length = at_most(got - 1, STRING_BYTES_MAX);
	/* cut, unless the string ends right there */
	if (length == STRING_BYTES_MAX) {
		u8 next = 0;

		if (arg->user)
			bpf_probe_read_user(&next, 1, from + STRING_BYTES_MAX);
		else
			bpf_probe_read_kernel(&next, 1, from + STRING_BYTES_MAX);
		if (next)
			flags = TEXT_TRUNCATED;
	}
	if (arg->filtered) {
		u32 start = at_most(TEXT_END - length, TEXT_END);

		bpf_probe_read_kernel(&s->text.bytes[start], length, to);
		candidates = filter_text(&s->text, start, arg, candidates);
		if (!candidates)
			return 0;
	}
	value->value = 0;
	value->mode = 0;
	value->magic = 0;
	value->fd = -1;
	set_text(value, *used, length, flags);
	*used += length;
	return candidates;
}

/* All text arguments in the order of config: filter, and add to the record. Returns the candidates left. */
static __always_inline u64 take_texts(void *ctx, struct hook_scratch *s, u64 candidates, u32 *used)
{
#pragma unroll
	for (u32 i = 0; i < TEXT_ARGS_MAX; i++) {
		const volatile struct text_config *arg = &config.texts[i];
		u64 raw;

		if (i >= config.texts_count)
			break;
		raw = hook_param(ctx, arg->param);
		if (arg->type == ARG_STRING || arg->type == ARG_FILENAME)
			candidates = take_string(s, arg, raw, candidates, used);
		else
			candidates = take_path(s, arg, raw, candidates, used);
		if (!candidates)
			return 0;
	}
	return candidates;
}

/* ---- the event ------------------------------------------------------------------------------------------- */

static __always_inline void take_integers(void *ctx, struct hook_record *record)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_ARGS_MAX; i++) {
		struct arg_value *value = arg_slot(record, i);
		u32 type;

		if (i >= config.args_count)
			break;
		type = config.args[i].type;
		if (!is_integer(type))
			continue;
		value->value = as_integer(hook_param(ctx, config.args[i].param), type);
		set_text(value, 0, 0, 0);
	}
}

static __always_inline void fill_event(struct event_hook *e, struct task_struct *task, u64 candidates, u32 used)
{
	e->header.size = sizeof(*e) + used;
	e->header.type = EVENT_HOOK;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	e->hook = config.hook;
	e->args_count = config.args_count;
	e->matched = candidates & -candidates;
	e->return_value = 0;
}

/*
 * Filters and builds the record; returns the candidates that are left. `returned`: the return value is known, and given.
 */
static __always_inline u64 build(void *ctx, u32 which, bool returned, u64 return_value, struct hook_scratch **out,
				 u32 *size)
{
	struct task_struct *task;
	struct hook_scratch *s;
	u64 candidates = config.selectors;
	u32 used = config.args_count * sizeof(struct arg_value);

	if (returned)
		candidates = filter_return(candidates, return_value);
	candidates = filter_integers(ctx, candidates, config.pid_groups);
	if (!candidates)
		return 0;
	task = current_task();
	candidates = filter_process(task, candidates);
	if (!candidates)
		return 0;
	s = bpf_map_lookup_elem(&scratch, &which);
	if (!s)
		return 0;
	candidates = take_texts(ctx, s, candidates, &used);
	if (!candidates)
		return 0;
	take_integers(ctx, &s->record);
	fill_event(&s->record.event, task, candidates, used);
	*out = s;
	*size = sizeof(struct event_hook) + used;
	return candidates;
}

static __always_inline void post(struct event_hook *event, u32 size)
{
	size = at_most(size, sizeof(struct event_hook) + config.body_size);
	emit(event, size, config.hook);
}

/* ---- what the programs of a hook do ---------------------------------------------------------------------- */

static __always_inline int on_entry(void *ctx, u64 frame)
{
	struct hook_scratch *s;
	u64 candidates;
	u32 size;

	candidates = build(ctx, SCRATCH_ENTRY, false, 0, &s, &size);
	if (!candidates)
		return 0;
	if (!config.pair) {
		post(&s->record.event, size);
		return 0;
	}
	s->record.candidates = candidates;
	if (!bpf_map_update_elem(&pending, &frame, &s->record, BPF_NOEXIST))
		return 0;
	/* full, or a call that was in this very frame before has not been seen to return */
	if (bpf_map_update_elem(&pending, &frame, &s->record, BPF_EXIST))
		count_lost_pending(config.hook);
	else
		count_lost_return(config.hook);
	return 0;
}

/* Entry and return in one program: only for functions that leave what their parameters point to as it is. */
static __always_inline int on_entry_and_return(void *ctx, u64 return_value)
{
	struct hook_scratch *s;
	u32 size;

	return_value = as_integer(return_value, config.return_type);
	if (!build(ctx, SCRATCH_RETURN, true, return_value, &s, &size))
		return 0;
	s->record.event.return_value = return_value;
	post(&s->record.event, size);
	return 0;
}

static __always_inline int on_return(u64 frame, u64 return_value)
{
	struct hook_record *record = bpf_map_lookup_elem(&pending, &frame);
	u64 candidates;

	if (!record)
		return 0;
	return_value = as_integer(return_value, config.return_type);
	candidates = filter_return(record->candidates, return_value);
	if (candidates) {
		record->event.return_value = return_value;
		record->event.matched = candidates & -candidates;
		post(&record->event, record->event.header.size);
	}
	bpf_map_delete_elem(&pending, &frame);
	return 0;
}

#endif
