// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The base sensor: reports exec, exit and fork by tracepoints that every kernel with BTF has. For the hooks, it also
 * maintains the sets of each process, the state of each process at its exec, and the scopes of each cgroup.
 */
#include "registers.bpf.h"
#include "arguments.bpf.h"
#include "scopes.bpf.h"
#include "container_name.h"
#include "moved_calls.bpf.h"
#include "sockets.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set at load. Without the environment, the scratch memory has no room for it. */
const volatile struct sensor_config config = {};

/*
 * The buffer for the paths of an exec. In the old flavour, global functions look up a buffer by its index, so all
 * buffers are in one map. The exec no longer needs its buffer when find_lineage() uses it.
 */
static __always_inline struct string_buffer *exec_buffer(struct exec_scratch *s)
{
#ifdef OLD_KERNEL
	return s ? lookup_buffer(cpu_buffer_index()) : 0;
#else
	return &s->buffer;
#endif
}

static __always_inline void clear_self(void)
{
	struct control *c = shared_control();

	if (c)
		c->self_tgid = 0;
}

/*
 * PROCESS_NAMESPACE_INIT or 0. This function and the functions of an exec are not inlined: their stack would add to the
 * deepest chain of calls.
 */
static __noinline u32 namespace_init_flag(struct task_struct *task)
{
	struct pid *pid = READ(task, thread_pid);
	struct pid_namespace *ns;
	u32 number;

	if (!READ(pid, level))
		return 0;
	read_upid(task, &ns, &number);
	return number == 1 ? PROCESS_NAMESPACE_INIT : 0;
}

/* ---- the earlier state of processes --------------------------------------------------------------- */

enum { EEXIST = 17 };

static __always_inline bool should_keep_state(const struct control *c)
{
	return *(volatile u32 *)&c->keeps_state;
}

/* `flags`: BPF_ANY, or BPF_NOEXIST if another program may store a newer state at the same moment. */
static __always_inline void store_state(u32 tgid, const struct process_state *state, u64 flags)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };
	long err = bpf_map_update_elem(&process_states, &tgid, state, flags);

	if (!err || err == -EEXIST)
		return;
	/* before the entry: hooks must look for it */
	states_overflowed = 1;
	err = bpf_map_update_elem(&process_states_more, &key, state, flags);
	if (err && err != -EEXIST)
		count_lost_pending(HOOK_PROCESS_BITS);
}

/* Removes the state of this process. A new process may have its number already. */
static __always_inline void delete_state(u32 tgid, u64 start_time)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };
	struct process_state *state = bpf_map_lookup_elem(&process_states, &tgid);

	if (state && state->start_time == start_time)
		bpf_map_delete_elem(&process_states, &tgid);
	if (!states_overflowed)
		return;
	state = bpf_map_lookup_elem(&process_states_more, &key);
	if (state && state->start_time == start_time)
		bpf_map_delete_elem(&process_states_more, &key);
}

static __noinline int store_exec_state(struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct process_state state = { .start_time = READ(leader, start_boottime) };

	fill_state(&state, task);
	store_state(READ(task, tgid), &state, BPF_ANY);
	return 0;
}

/* The child inherits the state of its parent at the parent's exec. */
static __noinline int store_fork_state(struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = READ(parent, tgid);
	struct process_state *known = lookup_state(tgid);
	struct process_state state = {};

	if (known)
		state = *known;
	else
		fill_state(&state, parent);
	state.start_time = READ(child, start_boottime);
	store_state(READ(child, tgid), &state, BPF_ANY);
	return 0;
}

/* Stores the state of an already running process. */
static __noinline int store_running_state(struct task_struct *task)
{
	struct process_state state = { .start_time = READ(task, start_boottime) };
	u32 tgid = READ(task, tgid);

	if (lookup_state(tgid))
		return 0;
	fill_state(&state, task);
	store_state(tgid, &state, BPF_NOEXIST);
	return 0;
}

/* ---- the rates of cgroups ----------------------------------------------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CGROUP_RATES_MAX); /* one without a limit */
	__type(key, u64);
	__type(value, struct cgroup_rate);
} cgroup_rates SEC(".maps");

enum { NANOSECONDS = 1000000000, ROOT_CGROUP = 1 };

static __always_inline struct kernfs_node *cgroup_node(struct task_struct *task)
{
	struct css_set *css = READ(task, cgroups);
	struct cgroup *cgroup = READ(css, dfl_cgrp);

	return READ(cgroup, kn);
}

static __noinline int report_throttle(struct task_struct *task, u64 now)
{
	struct kernfs_node *node = cgroup_node(task);
	struct event_throttle *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	long got;

	/* the counter of records that are not reported says the same */
	if (!e)
		return 0;
	e->header.size = sizeof(*e);
	e->header.type = EVENT_THROTTLE;
	e->header.flags = 0;
	e->header.time = now;
	fill_key(&e->key, task);
	e->cgroup_id = READ(node, id);
	got = bpf_probe_read_kernel_str(e->name_bytes, sizeof(e->name_bytes), READ(node, name));
	e->name.offset = sizeof(*e) - sizeof(e->name_bytes);
	e->name.length = got > 0 ? at_most(got - 1, CGROUP_LABEL_CAPACITY) : 0;
	e->name.flags = got < 0 ? STRING_FAULT : got == CGROUP_LABEL_CAPACITY ? STRING_TRUNCATED : 0;
	bpf_ringbuf_submit(e, wake_flags());
	return 0;
}

enum throttle { NOT_THROTTLED = 0, THROTTLED = 1, THROTTLE_BEGINS = 2 };

/*
 * Counts an exec or exit record of the task's cgroup, and says whether it must not be reported. The root has no rate:
 * it has all processes of a machine without cgroups, and one of them could hide the others. CPUs that begin a new
 * interval at the same moment may lose a few counts.
 */
static __noinline int count_for_rate(struct task_struct *task)
{
	struct kernfs_node *node = cgroup_node(task);
	u64 now = bpf_ktime_get_boot_ns(), id = READ(node, id);
	struct cgroup_rate *rate = bpf_map_lookup_elem(&cgroup_rates, &id);
	struct cgroup_rate first = { .since = now, .count = 1 };
	bool was_above, is_above;

	if (id == ROOT_CGROUP)
		return 0;
	if (!rate) {
		bpf_map_update_elem(&cgroup_rates, &id, &first, BPF_NOEXIST);
		return 0;
	}
	if (now - rate->since >= config.rate_interval) {
		rate->since = now;
		rate->count = 0;
	}
	__sync_fetch_and_add(&rate->count, 1);
	was_above = now < rate->until;
	is_above = rate->count > config.rate_events;
	if (is_above)
		rate->until = now + (u64)THROTTLE_SECONDS * NANOSECONDS;
	if (was_above)
		return THROTTLED;
	return is_above ? THROTTLE_BEGINS : NOT_THROTTLED;
}

/*
 * Must be called after a record with PROCESS_THROTTLED. The reader keeps its process, because hooks report it, too.
 * `sent`: the record is in the ring buffer. Otherwise, it is counted already.
 */
static __always_inline void after_throttled(struct task_struct *task, u32 throttle, u32 hook, bool sent)
{
	if (sent)
		count_lost_pending(hook);
	if (throttle == THROTTLE_BEGINS)
		report_throttle(task, bpf_ktime_get_boot_ns());
}

/* ---- exec --------------------------------------------------------------------------------------------------- */

enum { SHORT_STRING = 64 };

/*
 * Copies a string between maps. A short string is copied eight bytes at a time, with the bytes after it: a helper call
 * takes four times as long.
 */
static __always_inline void copy_string(u8 *to, const u8 *from, u32 length)
{
	if (length > SHORT_STRING) {
		bpf_probe_read_kernel(to, length, from);
		return;
	}
#pragma unroll
	for (u32 i = 0; i < SHORT_STRING; i += sizeof(u64))
		*(u64 *)(to + i) = *(u64 *)(from + i);
}

static __always_inline u32 append_path(struct exec_scratch *s, u32 used, struct string_ref *ref, u32 start)
{
	const struct string_buffer *buffer = exec_buffer(s);
	u32 length = STRING_END - start;

	length = at_most(length, PATH_BYTES_MAX);
	used = at_most(used, 3 * STRING_CAPACITY);
	start = at_most(start, STRING_END);
	if (!buffer)
		return used;
	copy_string(&s->heap[used], &buffer->bytes[start], length);
	ref->offset = sizeof(s->record) + used;
	ref->length = length;
	ref->flags = buffer->walk.flags;
	return used + length;
}

#ifndef READ_PROBE
enum { PAGE_BYTES = 4096, SHORT_NAME_SIZE = 32 };

/*
 * Copies a name of less than 32 bytes, eight bytes at a time, and returns its length. Returns -1 for a longer name.
 * Also returns -1 if a load could touch the next page, where a fault would look like the end of the name.
 */
static __always_inline int copy_short_name(u8 *to, const char *name)
{
	/* only structures can be read directly: this one begins with characters */
	struct new_utsname *utsname = KERNEL(new_utsname, name);
	const u64 *words = ADDRESS(utsname, sysname);

	if (((u64)name & (PAGE_BYTES - 1)) > PAGE_BYTES - SHORT_NAME_SIZE)
		return -1;
#pragma unroll
	for (u32 i = 0; i < SHORT_NAME_SIZE / sizeof(u64); i++) {
		u64 word = words[i];
		/* 0x80 in the first byte that is 0, and perhaps in later bytes */
		u64 zeros = (word - 0x0101010101010101) & ~word & 0x8080808080808080;

		*(u64 *)(to + i * sizeof(u64)) = word;
		/*
		 * the lowest of these bits, moved to bit 0 of its byte; the top byte of the product is the index of
		 * that byte
		 */
		if (zeros)
			return i * sizeof(u64) + (((zeros & -zeros) >> 7) * 0x0001020304050607 >> 56);
	}
	return -1;
}
#endif

static __always_inline u32 append_filename(struct exec_scratch *s, u32 used, struct linux_binprm *bprm)
{
	const char *name = READ(bprm, filename);
	struct string_ref *ref = &s->record.filename;
	long got = -1;

#ifndef READ_PROBE
	got = copy_short_name(&s->heap[used], name);
#endif
	/* an empty name may be a fault */
	if (got <= 0)
		got = bpf_probe_read_kernel_str(&s->heap[used], STRING_CAPACITY, name) - 1;
	ref->offset = sizeof(s->record) + used;
	ref->flags = got < 0 ? STRING_FAULT : 0;
	ref->length = got > 0 ? at_most(got, PATH_BYTES_MAX) : 0;
	/* read from memory, so that the verifier does not follow each length through the rest of the program */
	return used + *(volatile u16 *)&ref->length;
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
	used = at_most(used, 3 * STRING_CAPACITY);
	if (bpf_probe_read_user(&s->heap[used], kept, (void *)from)) {
		s->record.header.flags |= EVENT_ARGV_UNREADABLE;
		return used;
	}
	s->record.argv_length = kept;
	return used + kept;
}

/* The environment follows the arguments without a gap, so it may begin in `heap`. */
static __always_inline u32 append_environment(struct exec_scratch *s, u32 used, struct task_struct *task)
{
	struct mm_struct *mm = READ(task, mm);
	u64 from, size;
	u32 kept;

	if (!mm)
		return used;
	from = READ(mm, env_start);
	size = READ(mm, env_end) - from;
	if (size > ENVIRONMENT_BYTES_MAX) {
		size = ENVIRONMENT_BYTES_MAX;
		s->record.header.flags |= PROCESS_ENVIRONMENT_TRUNCATED;
	}
	kept = at_most(size, ENVIRONMENT_BYTES_MAX);
	used = at_most(used, EXEC_HEAP_SIZE);
	if (bpf_probe_read_user(&s->heap[used], kept, (void *)from)) {
		s->record.header.flags |= PROCESS_ENVIRONMENT_UNREADABLE;
		return used;
	}
	s->record.environment_length = kept;
	return used + kept;
}

/*
 * Finds the sets that the current process belongs to because of its arguments. It is a global function, like the next
 * one. Hooks and scans must find the tables complete, so it reads first whether a scan collects the sets.
 */
__noinline int store_argument_sets(void)
{
	u32 index = exec_scratch_index();
	struct exec_scratch *s = get_scratch(index);
	struct control *c = shared_control();
	bool collects = c && collects_arguments(c);
	u32 flags;

	if (!s)
		return 0;
	flags = s->record.header.flags & (EVENT_ARGV_TRUNCATED | EVENT_ARGV_UNREADABLE);
	find_argument_sets(index, s->record.argv_offset - sizeof(s->record), s->record.argv_length, flags);
	if (collects)
		store_running_arguments(s->record.key.tgid, &s->arguments);
	return 0;
}

/*
 * Stores the sets of the current process. The path of its new executable begins at `start` of the buffer. It is a
 * global function, so that the verifier checks it only once, and not for every path that leads to it. This saves most
 * of the time of loading the base sensor.
 */
__noinline int store_exec_sets(u32 start)
{
	struct exec_scratch *s = get_scratch(exec_scratch_index());
	struct string_buffer *buffer = exec_buffer(s);
	struct control *c = shared_control();
	struct process_bits *bits;

	if (!s || !buffer || !c)
		return 0;
	bits = &s->bits;
	__builtin_memset(bits, 0, sizeof(*bits));
	bits->exec_count = s->record.key.exec_count;
	bits->start_time = s->record.key.start_time;
	find_path_sets(buffer, start, &bits->own);
	if (should_keep_arguments(c)) {
		store_argument_sets();
		add_sets(&bits->own, &s->arguments);
	}
	store_exec_bits(untrusted_task(), bits);
	return 0;
}

static __noinline u32 read_exec_flags(struct task_struct *task, struct linux_binprm *bprm)
{
	u32 flags = namespace_init_flag(task);

	return READ_BIT(bprm, secureexec) ? flags | PROCESS_SECURE_EXEC : flags;
}

/* Called while the verifier still trusts the file: each read takes one instruction. */
static __always_inline void describe_file(struct event_exec *e, struct file *file)
{
	struct inode *inode = READ(file, f_inode);

	e->inode = READ(inode, i_ino);
	e->links = READ(inode, i_nlink);
	e->environment_length = 0;
}

static __always_inline int on_exec(struct task_struct *task, struct linux_binprm *bprm)
{
	struct control *c = shared_control();
	struct exec_scratch *s = get_scratch(exec_scratch_index());
	struct string_buffer *buffer = exec_buffer(s);
	struct event_exec *e;
	struct task_struct *parent, *leader;
	struct file *file;
	struct fs_struct *fs;
	struct css_set *css;
	struct cgroup *cgroup;
	struct kernfs_node *node;
	u32 start, used, throttle;
	bool sent;

	if (!c || !s || !buffer)
		return 0;
	e = &s->record;
	e->header.type = EVENT_EXEC;
	e->header.flags = read_exec_flags(task, bprm);
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
	file = READ(bprm, file);
	describe_file(e, file);
	/* see untrusted_task(); also, from here on, the verifier follows every exit of the loops */
	task = KERNEL(task_struct, task);
	fill_creds(&e->creds, READ(task, cred));
	fill_namespaces(&e->ns, task);
	fs = READ(task, fs);
	used = append_filename(s, 0, bprm);
	start = resolve_task_path(task, buffer, READ(fs, pwd.dentry), READ(fs, pwd.mnt));
	used = append_path(s, used, &e->cwd, start);

	file = KERNEL(file, file);
	start = resolve_executable(task, buffer, file);
	used = append_path(s, used, &e->executable, start);
	used = append_argv(s, used, task);
	if (should_keep_bits(c))
		store_exec_sets(start);
	if (should_keep_state(c))
		store_exec_state(task);

	used = at_most(used, EXEC_HEAP_SIZE);
	throttle = config.rate_events ? count_for_rate(task) : NOT_THROTTLED;
	if (throttle) {
		e->header.flags |= PROCESS_THROTTLED;
	} else if (config.environment) {
		used = append_environment(s, used, task);
		used = at_most(used, EXEC_HEAP_SIZE + ENVIRONMENT_BYTES_MAX);
	}
	e->header.size = sizeof(*e) + used;
	sent = emit(e, sizeof(*e) + used, HOOK_EXEC);
	if (throttle)
		after_throttled(task, throttle, HOOK_EXEC, sent);
	return 0;
}

/* ---- fork and exit ------------------------------------------------------------------------------------------ */

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child)
{
	struct control *c = shared_control();
	struct event_fork *e;
	struct task_struct *parent_leader;
	u32 tgid = READ(child, tgid);

	/* a thread is not a process */
	if (!c || READ(child, pid) != tgid)
		return 0;

	/* see untrusted_task() */
	if (should_keep_bits(c))
		store_fork_bits(KERNEL(task_struct, parent), KERNEL(task_struct, child));
	if (should_keep_state(c))
		store_fork_state(KERNEL(task_struct, parent), KERNEL(task_struct, child));

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost_ring(HOOK_FORK);
		return 0;
	}
	e->header.size = sizeof(*e);
	e->header.type = EVENT_FORK;
	e->header.flags = namespace_init_flag(child);
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
	u32 tgid, throttle;

	/*
	 * The process ends with its last thread. Two threads that end at the same moment may both see no other thread;
	 * the reader uses the first record.
	 */
	if (READ(signal, live.counter) != 0)
		return 0;
	tgid = READ(task, tgid);
	/* another process may get the same pid; a look-up costs less than a deletion, which takes a lock */
	if (protected_bits & protected_bit(tgid) && bpf_map_lookup_elem(&protected_processes, &tgid))
		bpf_map_delete_elem(&protected_processes, &tgid);
	if (is_self(tgid)) {
		/* pinned programs outlive the tracer, and another process may get its pid */
		clear_self();
		return 0;
	}

	throttle = config.rate_events ? count_for_rate(KERNEL(task_struct, task)) : NOT_THROTTLED;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost_ring(HOOK_EXIT);
		return 0;
	}
	e->header.size = sizeof(*e);
	e->header.type = EVENT_EXIT;
	e->header.flags = throttle ? PROCESS_THROTTLED : 0;
	e->header.time = bpf_ktime_get_boot_ns();
	fill_key(&e->key, task);
	leader = READ(task, group_leader);
	e->status = READ(signal, flags) & SIGNAL_GROUP_EXIT ? READ(signal, group_exit_code) : READ(leader, exit_code);
	e->pad = 0;
	bpf_ringbuf_submit(e, wake_flags());
	if (throttle)
		after_throttled(KERNEL(task_struct, task), throttle, HOOK_EXIT, true);
	return 0;
}

/* Removes the entries of a process when the kernel frees it, because hooks still run after sched_process_exit. */
static __always_inline int on_free(struct task_struct *task)
{
	u32 tgid = READ(task, tgid);
	u64 start_time = READ(task, start_boottime);
	struct process_bits *bits;

	if (READ(task, pid) != tgid)
		return 0;
	/* a new process may have this pid already */
	bits = lookup_bits(tgid);
	if (bits && bits->start_time == start_time)
		delete_bits(tgid);
	if (is_collecting_arguments())
		delete_running_arguments(tgid);
	delete_state(tgid, start_time);
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
TYPED_SEC("tp_btf/sched_process_exec")
int handle_exec(u64 *ctx)
{
	return on_exec((void *)ctx[0], (void *)ctx[2]);
}

TYPED_SEC("tp_btf/sched_process_fork")
int handle_fork(u64 *ctx)
{
	return on_fork((void *)ctx[0], (void *)ctx[1]);
}

TYPED_SEC("tp_btf/sched_process_exit")
int handle_exit(u64 *ctx)
{
	return on_exit((void *)ctx[0]);
}

TYPED_SEC("tp_btf/sched_process_free")
int handle_free(u64 *ctx)
{
	return on_free((void *)ctx[0]);
}

/*
 * The same for kernels that can suspend these programs (Linux 7.0 and later). While one is suspended, the kernel does
 * not run it for the other tasks of its CPU, and the programs of that CPU share their scratch memory.
 */
TYPED_SEC("tp_btf/sched_process_exec")
int exclusive_exec(u64 *ctx)
{
	preempt_disable();
	on_exec((void *)ctx[0], (void *)ctx[2]);
	preempt_enable();
	return 0;
}

TYPED_SEC("tp_btf/sched_process_fork")
int exclusive_fork(u64 *ctx)
{
	preempt_disable();
	on_fork((void *)ctx[0], (void *)ctx[1]);
	preempt_enable();
	return 0;
}

TYPED_SEC("tp_btf/sched_process_exit")
int exclusive_exit(u64 *ctx)
{
	preempt_disable();
	on_exit((void *)ctx[0]);
	preempt_enable();
	return 0;
}

TYPED_SEC("tp_btf/sched_process_free")
int exclusive_free(u64 *ctx)
{
	preempt_disable();
	on_free((void *)ctx[0]);
	preempt_enable();
	return 0;
}
#endif

/* ---- cgroups ------------------------------------------------------------------------------------------------ */

/* The scopes of cgroups that no source has named, by enum cgroup_kind. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CGROUP_KINDS);
	__type(key, u32);
	__type(value, struct scope_set);
} scope_defaults SEC(".maps");

static __always_inline void store_scopes(u64 id, const struct cgroup_scopes *scopes)
{
	struct cgroup_key_more key = overflow_key(id);
	struct control *c = shared_control();

	if (!bpf_map_update_elem(&cgroup_scopes, &id, scopes, BPF_ANY))
		return;
	/* before the entry: hooks must look for it */
	if (c)
		c->scopes_overflowed = 1;
	if (bpf_map_update_elem(&cgroup_scopes_more, &key, scopes, BPF_ANY))
		count_lost_pending(HOOK_CGROUP);
}

/* The kind of a new cgroup, from its name. A name that a user other than root has chosen proves nothing. */
static __noinline u32 classify_cgroup(struct kernfs_node *node)
{
	const struct cred *cred = READ(untrusted_task(), cred);
	struct exec_scratch *s = get_scratch(exec_scratch_index());
	long got;

	if (!s)
		return CGROUP_UNPROVEN;
	got = bpf_probe_read_kernel_str(s->heap, CGROUP_NAME_SIZE, READ(node, name));
	/* no runtime uses such a long name, and its end is unknown */
	if (got == CGROUP_NAME_SIZE)
		return CGROUP_UNPROVEN;
	if (got < 1 || !is_container_name(s->heap, at_most(got - 1, CGROUP_NAME_SIZE - 1)))
		return CGROUP_HOST;
	return READ(cred, fsuid.val) ? CGROUP_UNPROVEN : CGROUP_UNNAMED;
}

/*
 * Inherits the scopes of the parent, or takes the default scopes of its kind. Returns true if the scopes have changed.
 */
static __always_inline bool inherit_scopes(struct cgroup_scopes *own, u32 named)
{
	const struct cgroup_scopes *above = lookup_scopes(own->parent);
	u32 kind = above && above->kind != CGROUP_HOST ? above->kind : named;
	const struct scope_set *from = kind == named ? bpf_map_lookup_elem(&scope_defaults, &kind) : 0;
	u64 differs = own->kind ^ kind;

	if (above && above->kind == kind)
		from = &above->scopes;
	own->kind = kind;
#pragma unroll
	for (u32 i = 0; i < SCOPE_WORDS; i++) {
		u64 word = from ? *(volatile u64 *)&from->words[i] : ~0ULL;

		differs |= own->scopes.words[i] ^ word;
		own->scopes.words[i] = word;
	}
	return differs;
}

enum { INHERIT_TRIES = 4 };

/*
 * Gives a new cgroup the scopes of its parent. User space writes the scopes of a cgroup first, and then the scopes of
 * the descendants that it finds in the table. If it writes the parent after the entry was stored, this function sees
 * the change and stores again.
 */
static __noinline int init_cgroup_scopes(struct cgroup *cgroup, struct kernfs_node *node, u32 stage)
{
	struct cgroup_subsys_state *css = READ(cgroup, self.parent);
	struct cgroup *parent = READ(css, cgroup);
	struct kernfs_node *above = READ(parent, kn);
	struct cgroup_scopes own = { .parent = READ(above, id) };
	u32 named = classify_cgroup(node);
	u64 id = READ(node, id);

	/* the entry of the parent could not be stored: this cgroup stays unknown, too */
	if (stage == SCOPES_COMPLETE && !lookup_scopes(own.parent))
		return 0;
	inherit_scopes(&own, named);
	for (u32 i = 0; i < INHERIT_TRIES; i++) {
		store_scopes(id, &own);
		read_after_barrier(&own.pad);
		if (!inherit_scopes(&own, named))
			break;
	}
	return 0;
}

/* The kernel numbers the unified hierarchy 0. */
static __always_inline bool is_unified(struct cgroup *cgroup)
{
	struct cgroup_root *root = READ(cgroup, root);

	return READ(root, hierarchy_id) == 0;
}

/* Attached on kernels with cgroups. The path of a short-lived cgroup cannot be read later. */
SEC("raw_tp/cgroup_mkdir")
int handle_cgroup(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = KERNEL(cgroup, ctx->args[0]);
	struct kernfs_node *node = READ(cgroup, kn);
	struct control *c = shared_control();
	struct event_cgroup *e;
	long got;

	if (!is_unified(cgroup))
		return 0;
	if (c && c->keeps_scopes)
		init_cgroup_scopes(cgroup, node, c->keeps_scopes);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost_ring(HOOK_CGROUP);
		return 0;
	}
	e->header.size = sizeof(*e);
	e->header.type = EVENT_CGROUP;
	e->header.flags = 0;
	e->header.time = bpf_ktime_get_boot_ns();
	e->id = READ(node, id);
	got = bpf_probe_read_kernel_str(e->path_bytes, sizeof(e->path_bytes), (void *)ctx->args[1]);
	e->path.offset = sizeof(*e) - sizeof(e->path_bytes);
	e->path.length = got > 0 ? at_most(got - 1, CGROUP_PATH_CAPACITY) : 0;
	e->path.flags = got < 0 ? STRING_FAULT : got == CGROUP_PATH_CAPACITY ? STRING_TRUNCATED : 0;
	bpf_ringbuf_submit(e, wake_flags());
	return 0;
}

/* After the removal of a cgroup, ending processes may still be in it. The kernel releases it when none is left. */
SEC("raw_tp/cgroup_release")
int handle_cgroup_gone(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = KERNEL(cgroup, ctx->args[0]);
	struct kernfs_node *node = READ(cgroup, kn);
	u64 id = READ(node, id);
	struct cgroup_key_more key = overflow_key(id);
	struct event_cgroup_gone e = { .header = { .size = sizeof(e), .type = EVENT_CGROUP_GONE }, .id = id };

	if (!is_unified(cgroup))
		return 0;
	bpf_map_delete_elem(&cgroup_scopes, &id);
	if (config.rate_events)
		bpf_map_delete_elem(&cgroup_rates, &id);
	if (scopes_overflowed())
		bpf_map_delete_elem(&cgroup_scopes_more, &key);
	e.header.time = bpf_ktime_get_boot_ns();
	emit(&e, sizeof(e), HOOK_CGROUP);
	return 0;
}

/* ---- already running processes ------------------------------------------------------------------------------ */

/* Attached only during a scan: the start of an exec that can no longer fail. A kprobe runs without preemption. */
SEC("kprobe/begin_new_exec")
int handle_prepare(void *ctx __attribute__((unused)))
{
	if (is_scanning())
		store_bits_before_exec(untrusted_task());
	return 0;
}

/* Attached only while a policy tracks sockets. A new socket may get the address of the freed one. */
SEC("kprobe/sk_destruct")
int handle_socket_freed(struct pt_regs *ctx)
{
	delete_owner(function_param(ctx, 0));
	return 0;
}

enum { SCAN_TRIES = 3 };

/* Stores the entries of every process. User space runs it again until it changes nothing. */
TYPED_SEC("iter/task")
int scan_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = KERNEL(task_struct, ctx->task);
	struct control *c = shared_control();
	bool again = false;

	if (!c || !task)
		return 0;
	if (READ(task, pid) != READ(task, tgid) || READ(task, exit_state) == EXIT_DEAD)
		return 0;
	if (should_keep_state(c))
		store_running_state(task);
	if (!should_keep_bits(c))
		return 0;
	for (u32 i = 0; i < SCAN_TRIES; i++) {
		again = scan_bits(task, again);
		if (!again)
			return 0;
	}
	return 0;
}

/*
 * Finds the sets of an already running process. User space runs it with the id of the process, the address and length
 * of its arguments, and whether there are more. An exec or a fork may have stored the sets already. Returns 0 when they
 * are stored.
 */
SEC("raw_tp")
int find_running_arguments(struct bpf_raw_tracepoint_args *ctx)
{
	struct exec_scratch *s = get_scratch(SCAN_SCRATCH);
	u32 tgid = ctx->args[0], length = at_most(ctx->args[2], ARGV_BYTES_MAX);
	long err;

	if (!s || bpf_probe_read_user(s->heap, length, (void *)ctx->args[1]))
		return 1;
	find_argument_sets(SCAN_SCRATCH, 0, length, ctx->args[3] != 0);
	err = bpf_map_update_elem(&running_arguments, &tgid, &s->arguments, BPF_NOEXIST);
	return err && err != -EEXIST;
}

#ifndef READ_PROBE
/* The longest path that the list has. With " (deleted)", it is not too long for /proc either. */
enum { LISTED_PATH_MAX = 4000 };

/*
 * Writes a path for the reader of the list, who sees it as in /proc. Returns its length; 0, and writes nothing, where
 * only /proc knows the text.
 */
static __noinline u32 list_path(struct seq_file *seq, struct string_buffer *buffer, struct dentry *dentry,
				struct vfsmount *mnt)
{
	u32 start, length;

	if (!dentry)
		return 0;
	begin_walk(untrusted_task(), buffer, dentry, mnt);
	/* resolve_task_path() is faster, and takes the verifier ten times as long */
	continue_walk(PASS_BUFFER(buffer));
	start = end_walk(buffer);
	length = STRING_END - start;
	if (buffer->walk.flags & ~STRING_DELETED || length > LISTED_PATH_MAX)
		return 0;
	length = at_most(length, LISTED_PATH_MAX);
	bpf_seq_write(seq, &buffer->bytes[at_most(start, STRING_END)], length);
	return length;
}

/*
 * Writes the paths of the executable and of the folder. The thread can change both meanwhile: a text of memory that is
 * no longer theirs is not used.
 */
static __always_inline void list_paths(struct seq_file *seq, struct task_struct *thread,
				       struct running_process *running)
{
	struct exec_scratch *s = get_scratch(SCAN_SCRATCH);
	struct mm_struct *mm = READ(thread, mm);
	struct file *file = READ(mm, exe_file);
	struct fs_struct *fs = READ(thread, fs);
	struct vfsmount *mnt = READ(fs, pwd.mnt);
	struct dentry *dentry = READ(fs, pwd.dentry);
	u32 flags = 0;

	if (!s || !fs)
		return;
	if (!(READ(thread, flags) & PF_KTHREAD)) {
		running->executable = list_path(seq, &s->buffer, READ(file, f_path.dentry), READ(file, f_path.mnt));
		flags |= s->buffer.walk.flags & STRING_DELETED ? RUNNING_EXECUTABLE_DELETED : 0;
		flags |= READ(thread, mm) != mm || READ(mm, exe_file) != file ? RUNNING_EXECUTABLE_CHANGED : 0;
	}
	/* not one state of the verifier for each combination */
	opaque(flags);
	running->cwd = list_path(seq, &s->buffer, dentry, mnt);
	flags |= s->buffer.walk.flags & STRING_DELETED ? RUNNING_CWD_DELETED : 0;
	flags |= READ(thread, fs) != fs || READ(fs, pwd.dentry) != dentry || READ(fs, pwd.mnt) != mnt
			 ? RUNNING_CWD_CHANGED
			 : 0;
	opaque(flags);
	running->flags = flags;
}
#endif

/*
 * Writes a struct running_process for each process, also for one that has ended and was not waited for. User space runs
 * it twice: what it reads from /proc in between belongs to the exec if its count is the same. Only the first run writes
 * paths, in front of the struct.
 */
TYPED_SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = KERNEL(task_struct, ctx->task);
	struct running_process running = {};
	struct task_struct *thread, *parent;
	struct css_set *css;
	struct cgroup *cgroup;
	struct kernfs_node *node;
	struct mm_struct *mm;
	struct file *file;
	struct control *c = shared_control();

	if (!task || !c)
		return 0;
	if (READ(task, pid) != READ(task, tgid) || READ(task, exit_state) == EXIT_DEAD)
		return 0;
	thread = KERNEL(task_struct, find_living_thread(task));
#ifndef READ_PROBE
	if (c->lists_paths)
		list_paths(ctx->meta->seq, thread ? thread : task, &running);
#endif
	fill_key(&running.key, task);
	parent = READ(task, real_parent);
	running.parent_tgid = READ(parent, tgid);
	running.auid = READ(task, loginuid.val);
	css = READ(task, cgroups);
	cgroup = READ(css, dfl_cgrp);
	node = READ(cgroup, kn);
	running.cgroup_id = READ(node, id);
	/* a system call can have other credentials for a moment */
	fill_creds(&running.creds, READ(task, real_cred));
	if (READ(task, flags) & PF_KTHREAD)
		running.flags |= RUNNING_KERNEL_THREAD;
	if (namespace_init_flag(task))
		running.flags |= RUNNING_NAMESPACE_INIT;
	if (thread)
		running.key.tid = READ(thread, pid);
	mm = READ(thread, mm);
	file = READ(mm, exe_file);
	if (file ? check_exec_file(file) : is_running_process(task))
		running.flags |= RUNNING_FORGED;
	/* the leader of a process can end before its other threads, and has no namespaces then */
	fill_namespaces(&running.ns, thread ? thread : task);
	running.executable_inode = (u64)READ(file, f_inode);
	bpf_seq_write(ctx->meta->seq, &running, sizeof(running));
	return 0;
}

/* Returns the caller's pid in the initial pid namespace. User space runs it. */
SEC("raw_tp")
int tell_tgid(void *ctx __attribute__((unused)))
{
	return bpf_get_current_pid_tgid() >> 32;
}

enum { ANCESTORS_MAX = 128, INITIAL_STEPS_MAX = 256 };

/* The state of a walk from a process to its ancestors. */
struct ancestor_walk {
	u64 task;
	u32 count; /* processes so far */
	u32 last; /* the previous process */
};

/* Ends at the initial process; `task` is then its leader. */
static long step_to_initial(u32 i __attribute__((unused)), struct ancestor_walk *walk)
{
	struct task_struct *task = KERNEL(task_struct, walk->task);

	if (READ(task, tgid) == 1) {
		walk->task = (u64)READ(task, group_leader);
		walk->count = 1;
		return 1;
	}
	walk->task = (u64)READ(task, real_parent);
	return 0;
}

/*
 * Finds the initial process, the ancestor of every process. User space runs this once. Returns 0 if it was found;
 * otherwise no executable is trusted.
 */
SEC("raw_tp")
int find_initial_process(void *ctx __attribute__((unused)))
{
	struct ancestor_walk walk = { .task = bpf_get_current_task() };
	u32 zero = 0;

	REPEAT(INITIAL_STEPS_MAX, step_to_initial, &walk);
	if (!walk.count)
		return 1;
	return bpf_map_update_elem(&initial_process, &zero, &walk.task, BPF_ANY) ? 1 : 0;
}

static long protect_ancestor(u32 i __attribute__((unused)), struct ancestor_walk *walk)
{
	struct task_struct *task = KERNEL(task_struct, walk->task);
	u32 tgid = READ(task, tgid);
	u32 one = 1;

	if (!tgid || tgid == walk->last)
		return 1;
	/* before the entry: an exit must look for it */
	protected_bits |= protected_bit(tgid);
	if (bpf_map_update_elem(&protected_processes, &tgid, &one, BPF_ANY))
		return 1;
	walk->last = tgid;
	walk->count++;
	walk->task = (u64)READ(task, real_parent);
	return 0;
}

/*
 * Protects the calling process and its ancestors from actions. User space runs it. Returns the number of these
 * processes.
 */
SEC("raw_tp")
int protect_ancestors(void *ctx __attribute__((unused)))
{
	struct ancestor_walk walk = { .task = bpf_get_current_task() };

	REPEAT(ANCESTORS_MAX, protect_ancestor, &walk);
	return walk.count;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INODE_SLOTS);
	__type(key, u32);
	__type(value, struct reported_inode);
} reported_inode SEC(".maps");

/*
 * Stores the inode of a file descriptor of the calling process, in a slot (enum inode_slot). User space runs it,
 * because stat(2) reports another device number on some file systems. Returns 0 when the descriptor exists.
 */
SEC("raw_tp")
int tell_inode(struct bpf_raw_tracepoint_args *ctx)
{
	struct file *file = lookup_fd(ctx->args[0]);
	struct reported_inode found = {};
	struct dentry *dentry;
	struct inode *inode;
	struct super_block *sb;
	u32 slot = ctx->args[1];

	if (!file)
		return 1;
	file = KERNEL(file, file);
	dentry = READ(file, f_path.dentry);
	inode = READ(dentry, d_inode);
	if (!inode)
		return 1;
	sb = READ(inode, i_sb);
	found.inode = READ(inode, i_ino);
	found.address = (u64)inode;
	found.device = READ(sb, s_dev);
	return bpf_map_update_elem(&reported_inode, &slot, &found, BPF_ANY) ? 1 : 0;
}
