/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which sets each process is in. A process in none has no entry; an entry lives as long as its process, and is changed in
 * place.
 *
 * An entry is written at fork, before the process runs, by the process itself when it executes something, and by the walk
 * over the processes that run, of which there is one at a time. Only the last can meet one of the others.
 */
#ifndef POLYTRACE_SETS_BPF_H
#define POLYTRACE_SETS_BPF_H

#include "path.bpf.h"
#include "task.bpf.h"

enum {
	LINEAGE_MAX = 16, /* processes before a process that are looked at while a walk has not reached them yet */
	EXIT_DEAD = 16, /* task_struct.exit_state: nothing finds it any more */
};

struct binary_key {
	u8 text[BINARY_TEXT_MAX + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096); /* set at load */
	__type(key, struct binary_key);
	__type(value, struct process_sets);
} binary_equal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct trie_key);
	__type(value, struct process_sets);
} binary_prefix SEC(".maps"), binary_postfix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096); /* set at load */
	__type(key, struct pid_key);
	__type(value, struct process_sets);
} pid_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scan_request);
} scan_request SEC(".maps");

/* Where paths of executables are worked out: by the walk, which may be interrupted, in the first; by others, one for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs and one, set at load */
	__type(key, u32);
	__type(value, struct text_buffer);
} sets_text SEC(".maps");

enum { TEXT_OF_WALK = 0 };

static __always_inline u32 text_of_cpu(void)
{
	return 1 + bpf_get_smp_processor_id();
}

static __always_inline bool keeps_bits(void)
{
	struct control *c = shared_control();
	return c && *(volatile u32 *)&c->keeps_bits;
}

static __always_inline bool is_scanning(void)
{
	struct control *c = shared_control();
	return c && *(volatile u32 *)&c->scanning;
}

static __always_inline struct scan_request *current_request(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&scan_request, &zero);
}

#define EACH_WORD(i) for (u32 i = 0; i < PROCESS_WORDS; i++)

static __always_inline void add_sets(struct process_sets *to, const struct process_sets *from)
{
	if (!from)
		return;
#pragma unroll
	EACH_WORD(i)
		to->words[i] |= from->words[i];
}

static __always_inline bool is_empty(const struct process_sets *sets)
{
	return !(sets->words[0] | sets->words[1] | sets->words[2] | sets->words[3]);
}

/* ---- what a process is in by itself ---------------------------------------------------------------------- */

/* Looks the path at text.bytes[start] up in the sets of binaries. */
static __noinline int find_sets(struct text_buffer *text, u32 start, struct process_sets *sets)
{
	struct trie_key *key;
	u32 length, count;

	if (start < TEXT_LEAD)
		return 0;
	start = at_most(start, TEXT_END);
	length = TEXT_END - start;
	opaque(length);
	if (length <= BINARY_TEXT_MAX)
		add_sets(sets, bpf_map_lookup_elem(&binary_equal, &text->bytes[start]));

	key = (void *)&text->bytes[start - 5];
	key->slot = 0;
	key->prefix_bits = 8 + 8 * (length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length);
	add_sets(sets, bpf_map_lookup_elem(&binary_prefix, key));

	key = &text->reversed;
	count = length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length;
	key->slot = 0;
	key->prefix_bits = 8 + 8 * count;
	/* backwards, eight bytes a time; what is read beyond the text's start is beyond the key's length */
	for (u32 i = 0; i < FILTER_TEXT_MAX && i < count; i += 8) {
		u64 word = *(u64 *)&text->bytes[TEXT_END - 8 - i];

		*(u64 *)((void *)key->text + i) = __builtin_bswap64(word);
	}
	add_sets(sets, bpf_map_lookup_elem(&binary_postfix, key));
	return 0;
}

enum executable {
	EXECUTABLE_NONE, /* of a thread of the kernel, and of a process that has ended */
	EXECUTABLE_KNOWN,
	EXECUTABLE_CHANGED, /* meanwhile */
};

/*
 * The sets of the file that the process text->task executes; returns enum executable. `index`: of the text in sets_text. A
 * global function: the verifier goes through it once, however often it is called. Old kernels take no key from memory that
 * such a function is given, so it looks the text up itself.
 */
__noinline int find_executable_sets(u32 index, struct process_sets *sets)
{
	struct text_buffer *text = bpf_map_lookup_elem(&sets_text, &index);
	struct task_struct *task;
	struct mm_struct *mm;
	struct file *file;
	u32 start;

	if (!text || !sets)
		return EXECUTABLE_NONE;
	task = KERNEL(task_struct, text->task);
	mm = READ(task, mm);
	if (!mm)
		return EXECUTABLE_NONE;
	file = READ(mm, exe_file);
	if (!file)
		return EXECUTABLE_NONE;
	start = resolve_path_of(task, text, READ(file, f_path.dentry), READ(file, f_path.mnt));
	find_sets(text, start, sets);
	if (READ(task, mm) != mm || READ(mm, exe_file) != file)
		return EXECUTABLE_CHANGED;
	return EXECUTABLE_KNOWN;
}

static __always_inline enum executable executable_sets(u32 index, struct task_struct *task, struct process_sets *sets)
{
	struct text_buffer *text = bpf_map_lookup_elem(&sets_text, &index);

	if (!text)
		return EXECUTABLE_NONE;
	text->task = (u64)task;
	return find_executable_sets(index, sets);
}

/* `task` is a process's leader. */
static __always_inline void add_pid_sets(struct task_struct *task, struct process_sets *sets)
{
	struct pid_key key = { .pid = READ(task, tgid) };
	struct pid_namespace *ns;

	add_sets(sets, bpf_map_lookup_elem(&pid_sets, &key));
	own_upid(task, &ns, &key.pid);
	key.in_namespace = 1;
	add_sets(sets, bpf_map_lookup_elem(&pid_sets, &key));
}

/* ---- entries --------------------------------------------------------------------------------------------- */

/* Null also where the number belonged to a process before it. */
static __always_inline struct process_bits *bits_of(struct task_struct *leader)
{
	u32 tgid = READ(leader, tgid);
	struct process_bits *bits = bpf_map_lookup_elem(&process_bits, &tgid);

	return bits && bits->start_time == READ(leader, start_boottime) ? bits : 0;
}

static __always_inline void write_bits(struct process_bits *to, const struct process_bits *from)
{
	/* the count first: by it the walk sees, after it has written, that this was written as well */
	*(volatile u64 *)&to->exec_count = from->exec_count;
	*(volatile u64 *)&to->start_time = from->start_time;
#pragma unroll
	EACH_WORD(i)
	{
		*(volatile u64 *)&to->own.words[i] = from->own.words[i];
		*(volatile u64 *)&to->parent.words[i] = from->parent.words[i];
	}
}

static __always_inline void store_bits(u32 tgid, const struct process_bits *bits)
{
	struct process_bits *entry = bpf_map_lookup_elem(&process_bits, &tgid);

	if (!entry) {
		if (is_empty(&bits->own) && is_empty(&bits->parent))
			return;
		if (!bpf_map_update_elem(&process_bits, &tgid, bits, BPF_NOEXIST))
			return;
		/* the walk has made one just now, or there is no room */
		entry = bpf_map_lookup_elem(&process_bits, &tgid);
		if (!entry) {
			count_lost_pending(HOOK_PROCESS_BITS);
			return;
		}
	}
	write_bits(entry, bits);
}

/* Leaves out sets that nobody is in: the bits are of sets that were there before. */
static __always_inline void drop_cleared(struct process_bits *bits)
{
	struct scan_request *request = current_request();

	if (!request)
		return;
#pragma unroll
	EACH_WORD(i)
	{
		u64 kept = ~*(volatile u64 *)&request->clear.words[i];

		bits->own.words[i] &= kept;
		bits->parent.words[i] &= kept;
	}
}

/* ---- while a walk is on its way -------------------------------------------------------------------------- */

/*
 * Of the sets that are being added, those that a process is in by what it and those before it execute: the walk may not have
 * reached them. `followed`: only those that its children are in whatever they execute. Of text->task, a process's leader.
 */
__noinline int find_lineage(u32 index, struct process_sets *sets, u32 followed)
{
	struct text_buffer *text = bpf_map_lookup_elem(&sets_text, &index);
	struct scan_request *request = current_request();
	struct control *c = shared_control();
	struct task_struct *task;

	if (!text || !sets || !request || !c)
		return 0;
	task = KERNEL(task_struct, text->task);
	for (u32 i = 0; i < LINEAGE_MAX; i++) {
		struct process_bits *bits = bits_of(task);
		struct process_sets own = {};
		struct task_struct *parent;

		executable_sets(index, task, &own);
		add_pid_sets(task, &own);
		if (bits)
			add_sets(&own, &bits->own);
#pragma unroll
		EACH_WORD(w)
			sets->words[w] |= own.words[w] & request->add.words[w] & (followed ? c->follow[w] : ~0ULL);
		followed = 1;
		parent = KERNEL(task_struct, READ(task, real_parent));
		parent = KERNEL(task_struct, READ(parent, group_leader));
		if (!parent || parent == task)
			break;
		task = parent;
	}
	return 0;
}

static __always_inline void add_lineage(struct task_struct *leader, struct process_sets *sets, bool followed)
{
	u32 index = text_of_cpu();
	struct text_buffer *text = bpf_map_lookup_elem(&sets_text, &index);

	if (!text)
		return;
	text->task = (u64)leader;
	find_lineage(index, sets, followed);
}

/* ---- exec and fork --------------------------------------------------------------------------------------- */

/* `bits` has the sets of the new executable. */
static __always_inline void bits_at_exec(struct task_struct *task, struct process_bits *bits)
{
	struct task_struct *leader = READ(task, group_leader);
	struct process_bits *before = bits_of(leader);
	struct control *c = shared_control();

	if (!c)
		return;
	add_pid_sets(leader, &bits->own);
	if (before) {
#pragma unroll
		EACH_WORD(i)
			bits->own.words[i] |= before->own.words[i] & c->follow[i];
		bits->parent = before->parent;
	}
	if (is_scanning()) {
		struct task_struct *parent = KERNEL(task_struct, READ(leader, real_parent));

		add_lineage(READ(parent, group_leader), &bits->own, true);
	}
	drop_cleared(bits);
	store_bits(READ(task, tgid), bits);
}

/* The last moment of what a process executes now: the walk may not have seen it. */
static __always_inline void bits_before_exec(struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct process_bits *before = bits_of(leader);
	struct process_bits bits = {
		.exec_count = READ(task, self_exec_id),
		.start_time = READ(leader, start_boottime),
	};

	if (before)
		bits = *before;
	add_lineage(leader, &bits.own, false);
	store_bits(READ(task, tgid), &bits);
}

/* The child executes what the one that forked it does. Its parent is another one where that one asked for a sibling. */
static __always_inline void bits_at_fork(struct task_struct *forker, struct task_struct *child)
{
	struct process_bits bits = {
		.exec_count = READ(child, self_exec_id),
		.start_time = READ(child, start_boottime),
	};
	struct task_struct *parent = KERNEL(task_struct, READ(child, real_parent));
	bool scanning = is_scanning();
	struct process_bits *known;

	forker = KERNEL(task_struct, READ(forker, group_leader));
	parent = KERNEL(task_struct, READ(parent, group_leader));
	known = bits_of(forker);
	if (known)
		bits.own = known->own;
	if (scanning)
		add_lineage(forker, &bits.own, false);
	if (parent == forker) {
		bits.parent = bits.own;
	} else {
		known = bits_of(parent);
		if (known)
			bits.parent = known->own;
		if (scanning)
			add_lineage(parent, &bits.parent, false);
	}
	add_pid_sets(child, &bits.own);
	drop_cleared(&bits);
	store_bits(READ(child, tgid), &bits);
}

/* ---- processes that run ---------------------------------------------------------------------------------- */

/* Also a full memory barrier on x86. */
static __always_inline void note_change(struct control *c)
{
	__sync_fetch_and_add(&c->scan_changes, 1);
}

/*
 * Works out what one process is in. `again`: it executed something while its entry was written, and may have written the
 * entry at the same moment: everything is worked out from what it executes now. Returns whether that happened.
 */
static __noinline bool scan_bits(struct task_struct *task, bool again)
{
	struct scan_request *request = current_request();
	struct control *c = shared_control();
	u32 tgid = READ(task, tgid);
	u64 count = READ(task, self_exec_id), start = READ(task, start_boottime);
	struct process_bits *entry = bpf_map_lookup_elem(&process_bits, &tgid);
	struct process_bits bits = { .exec_count = count, .start_time = start };
	struct task_struct *parent = KERNEL(task_struct, READ(task, real_parent));
	struct process_sets found = {};
	struct process_bits *above;
	enum executable executable;
	u64 changed = 0;

	if (!request || !c)
		return false;
	/* its fork or exec has not been seen to the end: the next walk finds it */
	if (entry && (entry->start_time != start || (entry->exec_count != count && !again)))
		goto later;
	executable = executable_sets(TEXT_OF_WALK, task, &found);
	if (executable == EXECUTABLE_CHANGED)
		goto later;
	add_pid_sets(task, &found);
	parent = KERNEL(task_struct, READ(parent, group_leader));
	above = bits_of(parent);

#pragma unroll
	EACH_WORD(i)
	{
		u64 add = request->add.words[i], follow = c->follow[i];
		u64 own = entry ? entry->own.words[i] : 0, own_before = own;
		u64 upper = entry ? entry->parent.words[i] : 0, upper_before = upper;
		u64 inherited = above ? above->own.words[i] & add : 0;

		own &= ~request->clear.words[i];
		upper &= ~request->clear.words[i];
		if (again)
			own = (own & follow) | found.words[i];
		else if (executable == EXECUTABLE_KNOWN)
			own = (own & ~(add & ~follow)) | (found.words[i] & add);
		else
			own |= found.words[i] & add;
		own |= inherited & follow;
		/* one that was forked later knows what its parent was in at that moment */
		if (start <= request->since)
			upper &= ~add;
		upper |= inherited;
		bits.own.words[i] = own;
		bits.parent.words[i] = upper;
		changed |= (own ^ own_before) | (upper ^ upper_before);
	}
	if (!changed && !again)
		return false;
	store_bits(tgid, &bits);
	note_change(c);
	entry = bpf_map_lookup_elem(&process_bits, &tgid);
	return READ(task, self_exec_id) != count || (entry && entry->exec_count != count);
later:
	note_change(c);
	return false;
}

#endif
