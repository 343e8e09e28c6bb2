/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The sets that each process is in. A process in no set has no entry. An entry lives as long as its process and is
 * changed in place.
 *
 * There are three writers: the fork, before the process runs; the process itself at an exec; and the scan of the
 * already running processes. At most one scan runs at a time. Only the scan can write at the same moment as another
 * writer.
 */
#ifndef POLYTRACE_SETS_BPF_H
#define POLYTRACE_SETS_BPF_H

#include "trust.bpf.h"
#include "task.bpf.h"

enum {
	LINEAGE_MAX = 16, /* ancestors that are checked during a scan, which may not have reached them yet */
	EXIT_DEAD = 16, /* a value of task_struct.exit_state: the task can no longer be found */
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

/* Buffers for paths of executables. The scan, which may be preempted, uses the first; the others are one per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the number of possible CPUs and 1, set at load */
	__type(key, u32);
	__type(value, struct text_buffer);
} sets_text SEC(".maps");

enum { TEXT_OF_WALK = 0 };

static __always_inline u32 text_of_cpu(void)
{
	return 1 + bpf_get_smp_processor_id();
}

static __always_inline struct text_buffer *indexed_text(const u32 *index)
{
	struct text_buffer *text = bpf_map_lookup_elem(&sets_text, index);

#ifdef OLD_KERNEL
	if (text)
		text->place = *index;
#endif
	return text;
}

#ifdef OLD_KERNEL
static __always_inline struct text_buffer *text_at(u32 place)
{
	return indexed_text(&place);
}
#endif

/*
 * Global functions add sets to those that they get a pointer to. Where they cannot have one, see TEXT_PARAM, the caller copies the
 * sets into the text and back.
 */
#ifdef OLD_KERNEL
#define SETS_PARAM
#define SETS_GIVEN(text, kept) ((text) ? &(text)->kept : 0)
#define PASS_SETS(to)
#define KEEP_SETS(text, kept, from) ((text)->kept = *(from))
#define COPY_SETS(to, text, kept) (*(to) = (text)->kept)
#else
#define SETS_PARAM , struct process_sets *given_sets
#define SETS_GIVEN(text, kept) given_sets
#define PASS_SETS(to) , to
#define KEEP_SETS(text, kept, from)
#define COPY_SETS(to, text, kept)
#endif

static __always_inline bool keeps_bits(const struct control *c)
{
	return *(volatile u32 *)&c->keeps_bits;
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

/* ---- the sets of a single process --------------------------------------------------------------------------- */

/* A process whose executable may be another file than its path says is not in the sets that exempt from a policy. */
static __always_inline void leave_untrusted(const struct text_buffer *text, struct process_sets *sets)
{
	struct control *c = shared_control();

	if (!c || !(text->walk.flags & TEXT_UNTRUSTED))
		return;
#pragma unroll
	EACH_WORD(i)
		sets->words[i] &= ~*(volatile u64 *)&c->trusted[i];
}

/* The prefixes of a long path. If its beginning is not known, it may have any of them. */
static __always_inline void find_sets_of_beginning(struct text_buffer *text, struct process_sets *sets)
{
	struct trie_key *key = key_of_beginning(text, 0, FILTER_TEXT_MAX);
	struct control *c = shared_control();

	if (key)
		add_sets(sets, bpf_map_lookup_elem(&binary_prefix, key));
	else if (c)
		add_sets(sets, (struct process_sets *)c->prefixed);
}

/* Looks up the path at text.bytes[start] in the sets of binaries. `sets` is empty before. */
static __noinline int find_sets(struct text_buffer *text, u32 start, struct process_sets *sets)
{
	struct trie_key *key;
	u32 length, count, bits;

	if (start < TEXT_LEAD)
		return 0;
	start = at_most(start, TEXT_END);
	length = TEXT_END - start;
	opaque(length);
	if (length <= BINARY_TEXT_MAX)
		add_sets(sets, bpf_map_lookup_elem(&binary_equal, &text->bytes[start]));

	if (text->walk.flags & TEXT_TRUNCATED) {
		find_sets_of_beginning(text, sets);
	} else {
		key = (void *)&text->bytes[start - 5];
		key->slot = 0;
		key->prefix_bits = 8 + 8 * (length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length);
		add_sets(sets, bpf_map_lookup_elem(&binary_prefix, key));
	}

	key = &text->reversed;
	count = length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length;
	key->slot = 0;
	key->prefix_bits = 8 + 8 * count;
	/* from memory, so that the verifier does not follow the loop again for each length */
	bits = *(volatile u32 *)&key->prefix_bits;
	/* reverses eight bytes at a time; bytes from before the text's start are beyond the key's length */
	for (u32 i = 0; i < FILTER_TEXT_MAX && 8 + 8 * i < bits; i += 8) {
		const u8 *from = &text->bytes[TEXT_END - 8 - i];
		u8 *to = &key->text[i];

		/* the compiler would read and write single bytes, because it knows that the words are not aligned */
		opaque(from);
		opaque(to);
		*(u64 *)to = __builtin_bswap64(*(u64 *)from);
	}
	add_sets(sets, bpf_map_lookup_elem(&binary_postfix, key));
	leave_untrusted(text, sets);
	return 0;
}

enum executable {
	EXECUTABLE_NONE, /* a kernel thread, or a process that has ended */
	EXECUTABLE_KNOWN,
	EXECUTABLE_CHANGED, /* an exec has replaced it in the meantime */
};

/*
 * Finds the sets of the executable of the process text->task. Returns enum executable. `index` is the text's place in
 * sets_text. It is a global function: the verifier checks it once, for all calls. Old kernels accept no map key in memory
 * that such a function receives, so it looks up the text itself.
 */
__noinline int find_executable_sets(u32 index SETS_PARAM)
{
	struct text_buffer *text = indexed_text(&index);
	struct process_sets *sets = SETS_GIVEN(text, found);
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
	start = resolve_executable(task, text, file);
	find_sets(text, start, sets);
	if (READ(task, mm) != mm || READ(mm, exe_file) != file)
		return EXECUTABLE_CHANGED;
	return EXECUTABLE_KNOWN;
}

static __always_inline enum executable executable_sets(u32 index, struct task_struct *task, struct process_sets *sets)
{
	struct text_buffer *text = indexed_text(&index);
	enum executable result;

	if (!text)
		return EXECUTABLE_NONE;
	text->task = (u64)task;
	KEEP_SETS(text, found, sets);
	result = find_executable_sets(index PASS_SETS(sets));
	COPY_SETS(sets, text, found);
	return result;
}

/* `task` is the leader of a thread group. */
static __always_inline void add_pid_sets(struct task_struct *task, struct process_sets *sets)
{
	struct pid_key key = { .pid = READ(task, tgid) };
	struct pid_namespace *ns;

	add_sets(sets, bpf_map_lookup_elem(&pid_sets, &key));
	own_upid(task, &ns, &key.pid);
	key.in_namespace = 1;
	add_sets(sets, bpf_map_lookup_elem(&pid_sets, &key));
}

/* ---- entries ------------------------------------------------------------------------------------------------ */

/* Null if the process has no entry. An entry of an earlier process with the same pid does not count. */
static __always_inline struct process_bits *bits_of(struct task_struct *leader)
{
	u32 tgid = READ(leader, tgid);
	struct process_bits *bits = lookup_bits(tgid);

	return bits && bits->start_time == READ(leader, start_boottime) ? bits : 0;
}

static __always_inline void write_bits(struct process_bits *to, const struct process_bits *from)
{
	/* exec_count first: the scan reads it after its own write, and sees that this writer has written too */
	*(volatile u64 *)&to->exec_count = from->exec_count;
	*(volatile u64 *)&to->start_time = from->start_time;
#pragma unroll
	EACH_WORD(i)
	{
		*(volatile u64 *)&to->own.words[i] = from->own.words[i];
		*(volatile u64 *)&to->parent.words[i] = from->parent.words[i];
	}
}

static __always_inline bool add_overflown(u32 tgid, const struct process_bits *bits)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };

	/* before the entry: hooks must look for it */
	bits_overflown = 1;
	return !bpf_map_update_elem(&process_bits_more, &key, bits, BPF_NOEXIST);
}

static __always_inline void delete_bits(u32 tgid)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };

	if (bpf_map_delete_elem(&process_bits, &tgid))
		bpf_map_delete_elem(&process_bits_more, &key);
}

static __noinline int store_bits(u32 tgid, const struct process_bits *bits)
{
	struct process_bits *entry = lookup_bits(tgid);

	if (!entry) {
		if (is_empty(&bits->own) && is_empty(&bits->parent))
			return 0;
		if (!bpf_map_update_elem(&process_bits, &tgid, bits, BPF_NOEXIST))
			return 0;
		/* the scan has just made an entry, or the table is full */
		entry = lookup_bits(tgid);
		if (!entry && add_overflown(tgid, bits))
			return 0;
		entry = lookup_bits(tgid);
		if (!entry) {
			/* the kernel has no memory */
			count_lost_pending(HOOK_PROCESS_BITS);
			return 0;
		}
	}
	write_bits(entry, bits);
	return 0;
}

/* Clears the bits of sets without members. Earlier sets had the same bits. */
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

/* ---- during a scan ------------------------------------------------------------------------------------------ */

/* A search along the ancestors of a process. */
struct lineage {
	struct process_sets *sets; /* what was found */
	u64 task; /* the next process */
	u32 index; /* the text's place in sets_text */
	u32 followed;
};

/* Adds the sets of one process. Returns 1 when there is no other one. */
static long add_ancestor(u32 i __attribute__((unused)), struct lineage *search)
{
	struct task_struct *task = KERNEL(task_struct, search->task);
	struct scan_request *request = current_request();
	struct control *c = shared_control();
	struct process_bits *bits = bits_of(task);
	struct process_sets own = {};
	struct task_struct *parent;

	if (!request || !c)
		return 1;
	executable_sets(search->index, task, &own);
	add_pid_sets(task, &own);
	if (bits)
		add_sets(&own, &bits->own);
#pragma unroll
	EACH_WORD(w)
		search->sets->words[w] |= own.words[w] & request->add.words[w] & (search->followed ? c->follow[w] : ~0ULL);
	search->followed = 1;
	parent = KERNEL(task_struct, READ(task, real_parent));
	parent = KERNEL(task_struct, READ(parent, group_leader));
	if (!parent || parent == task)
		return 1;
	search->task = (u64)parent;
	return 0;
}

/*
 * Finds which of the new sets the process text->task (a leader) belongs to because of its own executable and those of
 * its ancestors. The scan may not have reached them yet. `followed`: only sets that also contain the descendants of
 * their members.
 */
__noinline int find_lineage(u32 index SETS_PARAM, u32 followed)
{
	struct text_buffer *text = indexed_text(&index);
	struct lineage search = { .sets = SETS_GIVEN(text, lineage), .index = index, .followed = followed };

	if (!text || !search.sets)
		return 0;
	search.task = text->task;
	REPEAT(LINEAGE_MAX, add_ancestor, &search);
	return 0;
}

static __always_inline void add_lineage(struct task_struct *leader, struct process_sets *sets, bool followed)
{
	u32 index = text_of_cpu();
	struct text_buffer *text = indexed_text(&index);

	if (!text)
		return;
	text->task = (u64)leader;
	KEEP_SETS(text, lineage, sets);
	find_lineage(index PASS_SETS(sets), followed);
	COPY_SETS(sets, text, lineage);
}

/* ---- exec and fork ------------------------------------------------------------------------------------------ */

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

/* The process is about to lose its present executable, which the scan may not have seen. */
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

/* The child has the executable of the forking process. With CLONE_PARENT, the parent of the child is another process. */
static __noinline int bits_at_fork(struct task_struct *forker, struct task_struct *child)
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
	return 0;
}

/* ---- the scan ----------------------------------------------------------------------------------------------- */

/* On x86 this is also a full memory barrier. */
static __always_inline void note_change(struct control *c)
{
	__sync_fetch_and_add(&c->scan_changes, 1);
}

/*
 * Finds the sets of one process. Returns whether the process did an exec during this call; both may then have written the
 * entry at the same moment. The caller calls it again with `again`, which finds all sets anew from the present executable.
 */
static __noinline bool scan_bits(struct task_struct *task, bool again)
{
	struct scan_request *request = current_request();
	struct control *c = shared_control();
	u32 tgid = READ(task, tgid);
	u64 count = READ(task, self_exec_id), start = READ(task, start_boottime);
	struct process_bits *entry = lookup_bits(tgid);
	struct process_bits bits = { .exec_count = count, .start_time = start };
	struct task_struct *parent = KERNEL(task_struct, READ(task, real_parent));
	struct process_sets found = {};
	struct process_bits *above;
	enum executable executable;
	u64 changed = 0;

	if (!request || !c)
		return false;
	/* its fork or exec is not complete: the next scan finds it */
	if (entry && (entry->start_time != start || (entry->exec_count != count && !again)))
		goto later;
	executable = executable_sets(TEXT_OF_WALK, task, &found);
	if (executable == EXECUTABLE_CHANGED)
		goto later;
	add_pid_sets(task, &found);
	parent = KERNEL(task_struct, READ(parent, group_leader));
	above = bits_of(parent);

#pragma clang loop unroll(disable)
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
		/* a process that was forked later already has the sets of its parent at that moment */
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
	entry = lookup_bits(tgid);
	return READ(task, self_exec_id) != count || (entry && entry->exec_count != count);
later:
	note_change(c);
	return false;
}

#endif
