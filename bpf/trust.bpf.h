/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Checks that an executable really is the file that its path names.
 *
 * Every user may create a user namespace, and in it mount anything on any path, or change the root. The path that such
 * a process sees therefore proves nothing. The reference is the initial mount tree, as the initial process (pid 1) sees
 * it from its root.
 */
#ifndef POLYTRACE_TRUST_BPF_H
#define POLYTRACE_TRUST_BPF_H

#include "path.bpf.h"
#include "task.bpf.h"

/* The struct task_struct of the initial process, which never ends. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} initial_process SEC(".maps");

/*
 * True if the path that resolve_path() has just written is also the path of the file in the initial mount tree. This is
 * the case if the walk has ended at the root of that tree. A service may have a private copy of the tree, with other
 * mounts of the same directories. There, the path is the same if the root of each mount on the path is the directory of
 * its mount point.
 */
static __always_inline bool is_initial_path(const struct string_buffer *buffer)
{
	u32 zero = 0;
	u64 *initial = bpf_map_lookup_elem(&initial_process, &zero);
	struct task_struct *task;
	struct fs_struct *fs;

	if (!initial || !*initial ||
	    buffer->walk.flags & (STRING_UNREACHABLE | STRING_PSEUDO | STRING_UNKNOWN | WALK_ENDLESS))
		return false;
	task = KERNEL(task_struct, *initial);
	fs = READ(task, fs);
	if (buffer->walk.root_dentry != (u64)READ(fs, root.dentry))
		return false;
	return !buffer->walk.crossed || buffer->walk.root_mnt == (u64)READ(fs, root.mnt);
}

/* As resolve_task_path(), for an executable: sets STRING_UNTRUSTED if the path proves nothing. */
static __always_inline u32 resolve_executable(struct task_struct *task, struct string_buffer *buffer, struct file *file)
{
	u32 start = resolve_task_path(task, buffer, READ(file, f_path.dentry), READ(file, f_path.mnt));

	if (!is_initial_path(buffer))
		buffer->walk.flags |= STRING_UNTRUSTED;
	return start;
}

/*
 * mm.exe_file is the file of the exec, unless the process has replaced it: prctl(PR_SET_MM_MAP) asks only for a
 * capability in a user namespace, which every user can create, and it also changes the memory that is shared with a
 * process outside of that namespace. Both files differ in a flag: only the kernel itself opens a file for an exec.
 */
enum { OPENED_FOR_EXEC = 1 << 5 }; /* __FMODE_EXEC, a value of file.f_flags */

enum { USER_NAMESPACE_LEVELS = 33 };

/*
 * True if a user namespace, in which the file was opened for an exec, has handlers of binfmt_misc of its own, as is
 * possible since Linux 6.7. A handler can get the file as a descriptor, and could pass it to prctl().
 */
static __always_inline bool has_own_handlers(struct file *file)
{
	const struct cred *cred = READ(file, f_cred);
	struct user_namespace *ns = READ(cred, user_ns);

	if (!bpf_core_field_exists(ns->binfmt_misc))
		return false;
	for (u32 i = 0; i < USER_NAMESPACE_LEVELS; i++) {
		if (!READ(ns, level))
			return false;
		if (READ(ns, binfmt_misc))
			return true;
		ns = READ(ns, parent);
	}
	return true;
}

/*
 * Returns STRING_UNKNOWN if the executable of a running process is not the one of its exec, and STRING_UNTRUSTED if it
 * may be another one.
 */
static __always_inline u32 check_exec_file(struct file *file)
{
	if (!(READ(file, f_flags) & OPENED_FOR_EXEC))
		return STRING_UNKNOWN | STRING_UNTRUSTED;
	return has_own_handlers(file) ? STRING_UNTRUSTED : 0;
}

/* ---- the memory of a process ---------------------------------------------------------------------------------- */

enum { THREADS_MAX = 64 }; /* threads that are asked for the memory of their process */

struct thread_search {
	u64 node, head; /* of the list of threads */
	u64 found; /* a thread with memory */
};

static long visit_thread(u32 i __attribute__((unused)), struct thread_search *search)
{
	struct task_struct *thread;

	if (search->node == search->head)
		return 1;
	thread = KERNEL(task_struct, (void *)search->node - bpf_core_field_offset(struct task_struct, thread_node));
	if (READ(thread, mm)) {
		search->found = (u64)thread;
		return 1;
	}
	search->node = (u64)READ(thread, thread_node.next);
	return 0;
}

/*
 * Finds a thread that still has the memory of the process. The leader has none after it has ended, while the other
 * threads continue. Returns 0 for a kernel thread, for a process that has ended, and if the first threads have none.
 */
static __noinline u64 find_living_thread(struct task_struct *leader)
{
	struct signal_struct *signal = READ(leader, signal);
	struct thread_search search = {};

	if (READ(leader, mm))
		return (u64)leader;
	if (!signal || READ(leader, flags) & PF_KTHREAD)
		return 0;
	search.head = (u64)ADDRESS(signal, thread_head);
	search.node = (u64)READ(signal, thread_head.next);
	REPEAT(THREADS_MAX, visit_thread, &search);
	return search.found;
}

/* True for a process that runs. A kernel thread is none. */
static __always_inline bool is_running_process(struct task_struct *leader)
{
	struct signal_struct *signal = READ(leader, signal);

	return signal && READ(signal, live.counter) && !(READ(leader, flags) & PF_KTHREAD);
}

#endif
