/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The process sets of each process. A process without sets has no entry. An entry lives as long as its process and is
 * changed in place.
 *
 * There are three writers: the fork, before the process runs; the process itself at an exec; and the scan of the
 * already running processes. At most one scan runs at a time. Only the scan can write at the same moment as another
 * writer.
 */
#ifndef POLYTRACE_SETS_BPF_H
#define POLYTRACE_SETS_BPF_H

#include "running_arguments.bpf.h"
#include "trust.bpf.h"
#include "task.bpf.h"

enum {
	LINEAGE_MAX = 16, /* ancestors that are checked during a scan, because the scan may not have reached them yet */
	EXIT_DEAD = 16, /* a value of task_struct.exit_state: the task can no longer be found */
};

struct binary_key {
	u8 path[BINARY_PATH_MAX + 1];
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
	__uint(max_entries, 1); /* set at load: the number of possible CPUs plus one */
	__type(key, u32);
	__type(value, struct string_buffer);
} path_buffers SEC(".maps");

enum { SCAN_BUFFER = 0 };

static __always_inline u32 cpu_buffer_index(void)
{
	return 1 + bpf_get_smp_processor_id();
}

static __always_inline struct string_buffer *get_path_buffer(const u32 *index)
{
	struct string_buffer *buffer = bpf_map_lookup_elem(&path_buffers, index);

#ifdef OLD_KERNEL
	if (buffer)
		buffer->map_index = *index;
#endif
	return buffer;
}

#ifdef OLD_KERNEL
static __always_inline struct string_buffer *lookup_buffer(u32 index)
{
	return get_path_buffer(&index);
}
#endif

/*
 * Global functions add sets through a pointer. If they cannot have a pointer parameter (see BUFFER_PARAM), the caller
 * copies the sets into the buffer and back.
 */
#ifdef OLD_KERNEL
#define SETS_PARAM
#define SETS_ARG(buffer, field) ((buffer) ? &(buffer)->field : 0)
#define PASS_SETS(to)
#define SAVE_SETS(buffer, field, from) ((buffer)->field = *(from))
#define LOAD_SETS(to, buffer, field) (*(to) = (buffer)->field)
#else
#define SETS_PARAM , struct process_sets *given_sets
#define SETS_ARG(buffer, field) given_sets
#define PASS_SETS(to) , to
#define SAVE_SETS(buffer, field, from)
#define LOAD_SETS(to, buffer, field)
#endif

static __always_inline bool should_keep_bits(const struct control *c)
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

/* An untrusted executable does not belong to the sets that exempt processes from a policy. */
static __always_inline void remove_trusted_sets(const struct string_buffer *buffer, struct process_sets *sets)
{
	struct control *c = shared_control();

	if (!c || !(buffer->walk.flags & STRING_UNTRUSTED))
		return;
#pragma unroll
	EACH_WORD(i)
	sets->words[i] &= ~*(volatile u64 *)&c->trusted[i];
}

/* An executable that is unknown may be any that a policy selects, and is none that it exempts. */
static __always_inline void add_unknown_sets(struct process_sets *sets)
{
	struct control *c = shared_control();

	if (c)
		add_sets(sets, (struct process_sets *)c->selecting);
}

/* The prefixes of a long path. If its beginning is unknown, it may have any of them. */
static __always_inline void find_head_sets(struct string_buffer *buffer, struct process_sets *sets)
{
	struct trie_key *key = head_key(buffer, 0, FILTER_STRING_MAX);
	struct control *c = shared_control();

	if (key)
		add_sets(sets, bpf_map_lookup_elem(&binary_prefix, key));
	else if (c)
		add_sets(sets, (struct process_sets *)c->prefixed);
}

/* Looks up the path at buffer->bytes[start] in the sets of binaries. `sets` is empty before. */
static __noinline int find_path_sets(struct string_buffer *buffer, u32 start, struct process_sets *sets)
{
	struct trie_key *key;
	u32 length, count, bits;

	if (start < STRING_HEADROOM)
		return 0;
	start = at_most(start, STRING_END);
	length = STRING_END - start;
	opaque(length);
	if (length <= BINARY_PATH_MAX)
		add_sets(sets, bpf_map_lookup_elem(&binary_equal, &buffer->bytes[start]));

	if (buffer->walk.flags & STRING_TRUNCATED) {
		find_head_sets(buffer, sets);
	} else {
		key = (void *)&buffer->bytes[start - 5];
		key->slot = 0;
		key->prefix_bits = 8 + 8 * (length > FILTER_STRING_MAX ? FILTER_STRING_MAX : length);
		add_sets(sets, bpf_map_lookup_elem(&binary_prefix, key));
	}

	key = &buffer->reversed;
	count = length > FILTER_STRING_MAX ? FILTER_STRING_MAX : length;
	key->slot = 0;
	key->prefix_bits = 8 + 8 * count;
	/* read from memory, so that the verifier does not check the loop again for each length */
	bits = *(volatile u32 *)&key->prefix_bits;
	/* reverses eight bytes at a time; bytes before the start of the path are beyond the length of the key */
	for (u32 i = 0; i < FILTER_STRING_MAX && 8 + 8 * i < bits; i += 8) {
		const u8 *from = &buffer->bytes[STRING_END - 8 - i];
		u8 *to = &key->string[i];

		/* the words are not aligned: the compiler would access single bytes */
		opaque(from);
		opaque(to);
		*(u64 *)to = __builtin_bswap64(*(u64 *)from);
	}
	add_sets(sets, bpf_map_lookup_elem(&binary_postfix, key));
	if (buffer->walk.flags & STRING_UNKNOWN)
		add_unknown_sets(sets);
	remove_trusted_sets(buffer, sets);
	return 0;
}

enum executable {
	EXECUTABLE_NONE, /* a kernel thread, or a process that has ended */
	EXECUTABLE_KNOWN,
	EXECUTABLE_CHANGED, /* an exec has replaced it meanwhile */
};

/*
 * Finds the sets of the executable of the process buffer->task. Returns enum executable. `index` is the index of the
 * buffer in path_buffers. It is a global function, so that the verifier checks it only once for all calls. Old kernels
 * accept no map key in memory that such a function receives, so it looks the buffer up itself.
 */
__noinline int find_executable_sets(u32 index SETS_PARAM)
{
	struct string_buffer *buffer = get_path_buffer(&index);
	struct process_sets *sets = SETS_ARG(buffer, found);
	struct task_struct *leader, *thread;
	struct mm_struct *mm;
	struct file *file;
	u32 start;

	if (!buffer || !sets)
		return EXECUTABLE_NONE;
	leader = KERNEL(task_struct, buffer->task);
	thread = KERNEL(task_struct, find_living_thread(leader));
	mm = READ(thread, mm);
	file = READ(mm, exe_file);
	if (!file) {
		if (!is_running_process(leader))
			return EXECUTABLE_NONE;
		add_unknown_sets(sets);
		return EXECUTABLE_KNOWN;
	}
	start = resolve_executable(thread, buffer, file);
	buffer->walk.flags |= check_exec_file(file);
	find_path_sets(buffer, start, sets);
	if (READ(thread, mm) != mm || READ(mm, exe_file) != file)
		return EXECUTABLE_CHANGED;
	return EXECUTABLE_KNOWN;
}

static __always_inline enum executable get_executable_sets(u32 index, struct task_struct *task,
							   struct process_sets *sets)
{
	struct string_buffer *buffer = get_path_buffer(&index);
	enum executable result;

	if (!buffer)
		return EXECUTABLE_NONE;
	buffer->task = (u64)task;
	SAVE_SETS(buffer, found, sets);
	result = find_executable_sets(index PASS_SETS(sets));
	LOAD_SETS(sets, buffer, found);
	return result;
}

/* `task` is the leader of a thread group. */
static __always_inline void add_pid_sets(struct task_struct *task, struct process_sets *sets)
{
	struct pid_key key = { .pid = READ(task, tgid) };
	struct control *c = shared_control();
	struct pid_namespace *ns;
	struct process_sets *found;
	u64 hidden;

	add_sets(sets, bpf_map_lookup_elem(&pid_sets, &key));
	read_upid(task, &ns, &key.pid);
	key.in_namespace = 1;
	found = bpf_map_lookup_elem(&pid_sets, &key);
	if (!found || !c)
		return;
	hidden = is_host_pid_namespace(ns) ? 0 : ~0ULL;
#pragma unroll
	EACH_WORD(i)
	sets->words[i] |= found->words[i] & ~(*(volatile u64 *)&c->trusted[i] & hidden);
}

/* During a scan: the sets of the arguments. Without an entry, user space has not read them, or there are no such sets.
 */
static __always_inline void add_running_arguments(u32 tgid, struct process_sets *sets)
{
	add_sets(sets, bpf_map_lookup_elem(&running_arguments, &tgid));
}

/* ---- entries ------------------------------------------------------------------------------------------------ */

/* Returns the entry of the process, or null. An entry of an earlier process with the same pid is not valid. */
static __always_inline struct process_bits *find_bits(struct task_struct *leader)
{
	u32 tgid = READ(leader, tgid);
	struct process_bits *bits = lookup_bits(tgid);

	return bits && bits->start_time == READ(leader, start_boottime) ? bits : 0;
}

static __always_inline void write_bits(struct process_bits *to, const struct process_bits *from)
{
	/* exec_count first: the scan reads it after its own write, to detect this concurrent write */
	*(volatile u64 *)&to->exec_count = from->exec_count;
	*(volatile u64 *)&to->start_time = from->start_time;
#pragma unroll
	EACH_WORD(i)
	{
		*(volatile u64 *)&to->own.words[i] = from->own.words[i];
		*(volatile u64 *)&to->parent.words[i] = from->parent.words[i];
	}
}

static __always_inline bool add_overflow_bits(u32 tgid, const struct process_bits *bits)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };

	/* before the entry: hooks must look for it */
	bits_overflowed = 1;
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
		/* the scan has just added an entry, or the table is full */
		entry = lookup_bits(tgid);
		if (!entry && add_overflow_bits(tgid, bits))
			return 0;
		entry = lookup_bits(tgid);
		if (!entry) {
			/* the kernel is out of memory */
			count_lost_pending(HOOK_PROCESS_BITS);
			return 0;
		}
	}
	write_bits(entry, bits);
	return 0;
}

/* Clears the bits of sets without members. These bits belonged to earlier sets. */
static __always_inline void clear_stale_sets(struct process_bits *bits)
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
	struct process_sets *sets; /* the sets that were found */
	u64 task; /* the next process */
	u32 index; /* index of the buffer in path_buffers */
	u32 followed;
};

/* Adds the sets of one process. Returns 1 if it has no parent. */
static long add_ancestor_sets(u32 i __attribute__((unused)), struct lineage *search)
{
	struct task_struct *task = KERNEL(task_struct, search->task);
	struct scan_request *request = current_request();
	struct control *c = shared_control();
	struct process_bits *bits = find_bits(task);
	struct process_sets own = {};
	struct task_struct *parent;

	if (!request || !c)
		return 1;
	get_executable_sets(search->index, task, &own);
	add_pid_sets(task, &own);
	add_running_arguments(READ(task, tgid), &own);
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
 * Finds the new sets that the process buffer->task (a leader) belongs to because of its own executable and those of its
 * ancestors. The scan may not have reached these processes yet. `followed`: only sets that also contain the descendants
 * of their members.
 */
__noinline int find_lineage(u32 index SETS_PARAM, u32 followed)
{
	struct string_buffer *buffer = get_path_buffer(&index);
	struct lineage search = { .sets = SETS_ARG(buffer, lineage), .index = index, .followed = followed };

	if (!buffer || !search.sets)
		return 0;
	search.task = buffer->task;
	REPEAT(LINEAGE_MAX, add_ancestor_sets, &search);
	return 0;
}

static __always_inline void add_lineage(struct task_struct *leader, struct process_sets *sets, bool followed)
{
	u32 index = cpu_buffer_index();
	struct string_buffer *buffer = get_path_buffer(&index);

	if (!buffer)
		return;
	buffer->task = (u64)leader;
	SAVE_SETS(buffer, lineage, sets);
	find_lineage(index PASS_SETS(sets), followed);
	LOAD_SETS(sets, buffer, lineage);
}

/* ---- exec and fork ------------------------------------------------------------------------------------------ */

/* `bits` has the sets of the new executable. */
static __always_inline void store_exec_bits(struct task_struct *task, struct process_bits *bits)
{
	struct task_struct *leader = READ(task, group_leader);
	struct process_bits *before = find_bits(leader);
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
	clear_stale_sets(bits);
	store_bits(READ(task, tgid), bits);
}

/* The process is about to lose its current executable, which the scan may not have seen. */
static __always_inline void store_bits_before_exec(struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct process_bits *before = find_bits(leader);
	struct process_bits bits = {
		.exec_count = READ(task, self_exec_id),
		.start_time = READ(leader, start_boottime),
	};

	if (before)
		bits = *before;
	add_lineage(leader, &bits.own, false);
	store_bits(READ(task, tgid), &bits);
}

/*
 * The child has the executable of the forking process. With CLONE_PARENT, the parent of the child is another process.
 */
static __noinline int store_fork_bits(struct task_struct *forker, struct task_struct *child)
{
	struct process_bits bits = {
		.exec_count = READ(child, self_exec_id),
		.start_time = READ(child, start_boottime),
	};
	struct task_struct *parent = KERNEL(task_struct, READ(child, real_parent));
	bool scanning = is_scanning();
	struct process_bits *known;

	forker = KERNEL(task_struct, READ(forker, group_leader));
	if (scanning && is_collecting_arguments())
		copy_running_arguments(READ(forker, tgid), READ(child, tgid));
	parent = KERNEL(task_struct, READ(parent, group_leader));
	known = find_bits(forker);
	if (known)
		bits.own = known->own;
	if (scanning)
		add_lineage(forker, &bits.own, false);
	if (parent == forker) {
		bits.parent = bits.own;
	} else {
		known = find_bits(parent);
		if (known)
			bits.parent = known->own;
		if (scanning)
			add_lineage(parent, &bits.parent, false);
	}
	add_pid_sets(child, &bits.own);
	clear_stale_sets(&bits);
	store_bits(READ(child, tgid), &bits);
	return 0;
}

/* ---- the scan ----------------------------------------------------------------------------------------------- */

/* On x86, this is also a full memory barrier. */
static __always_inline void count_scan_change(struct control *c)
{
	__sync_fetch_and_add(&c->scan_changes, 1);
}

/*
 * Finds the sets of one process. Returns true if the process has done an exec during this call: both may have written
 * the entry at the same moment. The caller then calls again with `again`, to find all sets anew from the current
 * executable.
 *
 * An exec that has replaced the memory of the process, but not its entry, is in progress. It can take as long as a file
 * system does not answer, so the scan does not wait for it: the process has the sets of its new executable. The exec
 * then finds the same sets, because their values are in the tables.
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
	bool in_exec;
	u64 changed = 0;

	if (!request || !c)
		return false;
	/* the fork is not complete: the next scan finds the process */
	if (entry && entry->start_time != start)
		goto later;
	in_exec = entry && entry->exec_count != count;
	executable = get_executable_sets(SCAN_BUFFER, task, &found);
	if (executable == EXECUTABLE_CHANGED)
		goto later;
	add_pid_sets(task, &found);
	add_running_arguments(tgid, &found);
	parent = KERNEL(task_struct, READ(parent, group_leader));
	above = find_bits(parent);

#pragma clang loop unroll(disable)
	EACH_WORD(i)
	{
		u64 add = request->add.words[i], follow = c->follow[i];
		u64 own = entry ? entry->own.words[i] : 0, own_before = own;
		u64 upper = entry ? entry->parent.words[i] : 0, upper_before = upper;
		u64 inherited = above ? above->own.words[i] & add : 0;

		own &= ~request->clear.words[i];
		upper &= ~request->clear.words[i];
		if (again || in_exec)
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
	if (!changed && !again && !in_exec)
		return false;
	store_bits(tgid, &bits);
	if (changed || again)
		count_scan_change(c);
	entry = lookup_bits(tgid);
	return READ(task, self_exec_id) != count || (entry && entry->exec_count != count);
later:
	count_scan_change(c);
	return false;
}

#endif
