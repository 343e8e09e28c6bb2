/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether an executable really is the file that its path names.
 *
 * Every user may create a user namespace, and in it mount anything on any path or change the root. The path that such a process
 * sees therefore proves nothing. The reference is the initial mount tree: what the initial process (pid 1) sees from its root.
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
 * Whether the file, whose path resolve_path() has just written, has the same path in the initial mount tree. This is so if
 * the walk has ended at the root of that tree. A private copy of the tree, as services get one, has other mounts of the same
 * directories. There the path is the same if no mount on the way shows another directory than the one that it is mounted on.
 */
static __always_inline bool is_initial_path(const struct text_buffer *text)
{
	u32 zero = 0;
	u64 *initial = bpf_map_lookup_elem(&initial_process, &zero);
	struct task_struct *task;
	struct fs_struct *fs;

	if (!initial || !*initial || text->walk.flags & (TEXT_UNREACHABLE | TEXT_PSEUDO | WALK_ENDLESS))
		return false;
	task = KERNEL(task_struct, *initial);
	fs = READ(task, fs);
	if (text->walk.root_dentry != (u64)READ(fs, root.dentry))
		return false;
	return !text->walk.crossed || text->walk.root_mnt == (u64)READ(fs, root.mnt);
}

/* The path of an executable, as resolve_path_of(). */
static __always_inline u32 resolve_executable(struct task_struct *task, struct text_buffer *text, struct file *file)
{
	u32 start = resolve_path_of(task, text, READ(file, f_path.dentry), READ(file, f_path.mnt));

	if (!is_initial_path(text))
		text->walk.flags |= TEXT_UNTRUSTED;
	return start;
}

#endif
