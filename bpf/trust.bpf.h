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

	if (!initial || !*initial || buffer->walk.flags & (STRING_UNREACHABLE | STRING_PSEUDO | WALK_ENDLESS))
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

#endif
