// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The base sensor: exec, exit and fork, from tracepoints that every kernel with BTF has. Also keeps which binary sets
 * each process is in.
 */
#include "path.bpf.h"
#include "task.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	EXEC_HEAP = 3 * 4096 + ARGV_BYTES_MAX,
};

/* One per CPU: these programs run with preemption off. Too big for a per-CPU map. */
struct exec_scratch {
	struct text_buffer text;
	struct event_exec record;
	u8 heap[EXEC_HEAP];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs, set at load */
	__type(key, u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

struct binary_key {
	u8 text[BINARY_TEXT_MAX + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096); /* set at load */
	__type(key, struct binary_key);
	__type(value, struct binary_sets);
} binary_equal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct trie_key);
	__type(value, struct binary_sets);
} binary_prefix SEC(".maps"), binary_postfix SEC(".maps");

static __always_inline struct exec_scratch *scratch(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&exec_scratch, &cpu);
}

static __always_inline bool is_self(u32 tgid)
{
	struct control *c = shared_control();
	return c && c->self_tgid == tgid;
}

/* ---- binary sets ---------------------------------------------------------------------------------------- */

static __always_inline void add_sets(struct binary_bits *bits, const struct binary_sets *sets)
{
	if (!sets)
		return;
	for (u32 i = 0; i < BINARY_WORDS; i++)
		bits->words[i] |= sets->words[i];
}

/* Looks the path at text.bytes[start] up in the binary sets. */
static __noinline int find_sets(struct text_buffer *text, u32 start, struct binary_bits *bits)
{
	struct trie_key *key;
	u32 length, count;

	if (!text || !bits || start < TEXT_LEAD || start > TEXT_END)
		return 0;
	length = TEXT_END - start;
	if (length <= BINARY_TEXT_MAX)
		add_sets(bits, bpf_map_lookup_elem(&binary_equal, &text->bytes[start]));

	key = (void *)&text->bytes[start - 5];
	key->slot = 0;
	key->prefix_bits = 8 + 8 * (length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length);
	add_sets(bits, bpf_map_lookup_elem(&binary_prefix, key));

	key = &text->reversed;
	count = length > FILTER_TEXT_MAX ? FILTER_TEXT_MAX : length;
	key->slot = 0;
	key->prefix_bits = 8 + 8 * count;
	for (u32 i = 0; i < FILTER_TEXT_MAX && i < count; i++)
		key->text[i] = text->bytes[TEXT_END - 1 - i];
	add_sets(bits, bpf_map_lookup_elem(&binary_postfix, key));
	return 0;
}

static __always_inline void store_bits(u32 tgid, struct binary_bits *bits)
{
	if (bits->words[0] | bits->words[1] | bits->words[2] | bits->words[3]) {
		if (bpf_map_update_elem(&binary_bits, &tgid, bits, BPF_ANY))
			count_lost_pending(HOOK_BINARY_BITS);
	} else {
		bpf_map_delete_elem(&binary_bits, &tgid);
	}
}

static __always_inline bool keeps_bits(void)
{
	struct control *c = shared_control();
	return c && *(volatile u32 *)&c->binary_sets;
}

/* ---- exec ------------------------------------------------------------------------------------------------ */

static __always_inline u32 append_text(struct exec_scratch *s, u32 used, struct text_ref *ref, u32 start)
{
	u32 length = TEXT_END - start;

	length = at_most(length, 4095);
	used = at_most(used, 3 * 4096);
	start = at_most(start, TEXT_END);
	bpf_probe_read_kernel(&s->heap[used], length, &s->text.bytes[start]);
	ref->offset = sizeof(s->record) + used;
	ref->length = length;
	ref->flags = s->text.walk.flags;
	return used + length;
}

static __always_inline u32 append_filename(struct exec_scratch *s, u32 used, struct linux_binprm *bprm)
{
	long got = bpf_probe_read_kernel_str(&s->heap[used], 4096, READ(bprm, filename));
	struct text_ref *ref = &s->record.filename;

	ref->offset = sizeof(s->record) + used;
	ref->flags = got < 0 ? TEXT_FAULT : 0;
	ref->length = got > 0 ? at_most(got - 1, 4095) : 0;
	return used + ref->length;
}

static __always_inline u32 append_argv(struct exec_scratch *s, u32 used, struct task_struct *task)
{
	struct mm_struct *mm = READ(task, mm);
	u64 from, size;
	u32 kept;

	s->record.argv_offset = sizeof(s->record) + used;
	s->record.argv_length = 0;
	if (!mm)
		return used;
	from = READ(mm, arg_start);
	size = READ(mm, arg_end) - from;
	if (size > ARGV_BYTES_MAX) {
		size = ARGV_BYTES_MAX;
		s->record.header.flags |= EVENT_ARGV_TRUNCATED;
	}
	kept = at_most(size, ARGV_BYTES_MAX);
	used = at_most(used, 3 * 4096);
	if (bpf_probe_read_user(&s->heap[used], kept, (void *)from)) {
		s->record.header.flags |= EVENT_ARGV_UNREADABLE;
		return used;
	}
	s->record.argv_length = kept;
	return used + kept;
}

static __always_inline int on_exec(struct task_struct *task, struct linux_binprm *bprm)
{
	struct exec_scratch *s = scratch();
	struct event_exec *e;
	struct task_struct *parent, *leader;
	struct file *file;
	struct fs_struct *fs;
	struct css_set *css;
	struct cgroup *cgroup;
	struct kernfs_node *node;
	u32 start, used;

	if (!s)
		return 0;
	e = &s->record;
	e->header.type = EVENT_EXEC;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	if (is_self(e->key.tgid))
		return 0;

	leader = READ(task, group_leader);
	parent = READ(leader, real_parent);
	e->parent_tgid = READ(parent, tgid);
	parent = READ(parent, group_leader);
	e->parent_start_time = READ(parent, start_boottime);
	e->auid = READ(task, loginuid.val);
	css = READ(task, cgroups);
	cgroup = READ(css, dfl_cgrp);
	node = READ(cgroup, kn);
	e->cgroup_id = READ(node, id);
	fill_creds(&e->creds, READ(task, cred));
	fill_namespaces(&e->ns, task);

	used = append_filename(s, 0, bprm);
	fs = READ(task, fs);
	start = resolve_path(&s->text, READ(fs, pwd.dentry), READ(fs, pwd.mnt));
	used = append_text(s, used, &e->cwd, start);

	file = READ(bprm, file);
	start = resolve_path(&s->text, READ(file, f_path.dentry), READ(file, f_path.mnt));
	used = append_text(s, used, &e->executable, start);
	if (keeps_bits()) {
		struct binary_bits bits = { .exec_count = e->key.exec_count, .start_time = e->key.start_time };

		find_sets(&s->text, start, &bits);
		store_bits(e->key.tgid, &bits);
	}

	used = append_argv(s, used, task);
	used = at_most(used, EXEC_HEAP);
	e->header.size = sizeof(*e) + used;
	emit(e, sizeof(*e) + used, HOOK_EXEC);
	return 0;
}

/* ---- fork and exit --------------------------------------------------------------------------------------- */

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child)
{
	struct event_fork *e;
	struct task_struct *parent_leader;
	u32 tgid = READ(child, tgid);

	/* a thread is not a process */
	if (READ(child, pid) != tgid)
		return 0;

	if (keeps_bits()) {
		u32 parent_tgid = READ(parent, tgid);
		struct binary_bits *inherited = bpf_map_lookup_elem(&binary_bits, &parent_tgid);
		struct binary_bits bits = {};

		if (inherited)
			bits = *inherited;
		bits.start_time = READ(child, start_boottime);
		store_bits(tgid, &bits);
	}

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost_ring(HOOK_FORK);
		return 0;
	}
	e->header.size = sizeof(*e);
	e->header.type = EVENT_FORK;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, child);
	e->parent_tgid = READ(parent, tgid);
	e->pad = 0;
	parent_leader = READ(parent, group_leader);
	e->parent_start_time = READ(parent_leader, start_boottime);
	bpf_ringbuf_submit(e, wake_flags());
	return 0;
}

enum { SIGNAL_GROUP_EXIT = 4 };

static __always_inline int on_exit(struct task_struct *task)
{
	struct signal_struct *signal = READ(task, signal);
	struct task_struct *leader;
	struct event_exit *e;
	u32 tgid;

	/*
	 * The last thread ends the process. Two threads that leave at the same moment may both see none left: the reader
	 * takes the first record.
	 */
	if (READ(signal, live.counter) != 0)
		return 0;
	tgid = READ(task, tgid);
	if (is_self(tgid))
		return 0;

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost_ring(HOOK_EXIT);
		return 0;
	}
	e->header.size = sizeof(*e);
	e->header.type = EVENT_EXIT;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	leader = READ(task, group_leader);
	e->status = READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(leader, exit_code);
	e->pad = 0;
	bpf_ringbuf_submit(e, wake_flags());
	return 0;
}

/* The bits go with the process itself, not with its exit: hooks still run after sched_process_exit. */
static __always_inline int on_free(struct task_struct *task)
{
	u32 tgid = READ(task, tgid);
	struct binary_bits *bits;

	if (READ(task, pid) != tgid)
		return 0;
	bits = bpf_map_lookup_elem(&binary_bits, &tgid);
	/* the number may belong to a new process by now */
	if (bits && bits->start_time == READ(task, start_boottime))
		bpf_map_delete_elem(&binary_bits, &tgid);
	return 0;
}

#ifdef READ_PROBE
SEC("raw_tp/sched_process_exec")
int handle_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return on_exec((void *)ctx->args[0], (void *)ctx->args[2]);
}

SEC("raw_tp/sched_process_fork")
int handle_fork(struct bpf_raw_tracepoint_args *ctx)
{
	return on_fork((void *)ctx->args[0], (void *)ctx->args[1]);
}

SEC("raw_tp/sched_process_exit")
int handle_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return on_exit((void *)ctx->args[0]);
}

SEC("raw_tp/sched_process_free")
int handle_free(struct bpf_raw_tracepoint_args *ctx)
{
	return on_free((void *)ctx->args[0]);
}
#else
SEC("tp_btf/sched_process_exec")
int handle_exec(u64 *ctx)
{
	return on_exec((void *)ctx[0], (void *)ctx[2]);
}

SEC("tp_btf/sched_process_fork")
int handle_fork(u64 *ctx)
{
	return on_fork((void *)ctx[0], (void *)ctx[1]);
}

SEC("tp_btf/sched_process_exit")
int handle_exit(u64 *ctx)
{
	return on_exit((void *)ctx[0]);
}

SEC("tp_btf/sched_process_free")
int handle_free(u64 *ctx)
{
	return on_free((void *)ctx[0]);
}
#endif

/* ---- processes that already run -------------------------------------------------------------------------- */

/* Run by user space after it added binary sets: gives every process its bits. */
SEC("iter/task")
int scan_binaries(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct exec_scratch *s;
	struct binary_bits bits = {};
	struct mm_struct *mm;
	struct file *file;
	u32 start, tgid;

	if (!task)
		return 0;
	tgid = READ(task, tgid);
	if (READ(task, pid) != tgid)
		return 0;
	mm = READ(task, mm);
	if (!mm)
		return 0;
	file = READ(mm, exe_file);
	s = scratch();
	if (!file || !s)
		return 0;
	bits.exec_count = READ(task, self_exec_id);
	bits.start_time = READ(task, start_boottime);
	start = resolve_path(&s->text, READ(file, f_path.dentry), READ(file, f_path.mnt));
	find_sets(&s->text, start, &bits);
	store_bits(tgid, &bits);
	return 0;
}

/* Tells user space its own number in the initial pid namespace. */
SEC("raw_tp")
int tell_tgid(void *ctx __attribute__((unused)))
{
	return bpf_get_current_pid_tgid() >> 32;
}
