/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The absolute path of a (mount, dentry) as the current process sees it: from the name up to the process's root,
 * across mounts. Follows the rules of prepend_path() in fs/d_path.c, except that a removed file keeps its plain name
 * and is flagged: a filter must not be escaped by unlinking.
 */
#ifndef POLYTRACE_PATH_BPF_H
#define POLYTRACE_PATH_BPF_H

#include "text.bpf.h"

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return KERNEL(mount, (void *)mnt - bpf_core_field_offset(struct mount, mnt));
}

/*
 * Writes the path of (mnt, dentry) before TEXT_END and returns where it starts. Not inlined: a hook may resolve several.
 */
static __noinline u32 resolve_path(struct text_buffer *buffer, struct dentry *dentry, struct vfsmount *mnt,
				   u32 *flags)
{
	struct task_struct *task;
	struct fs_struct *fs;
	struct dentry *root;
	struct vfsmount *root_mnt;
	u32 start = TEXT_END;
	u32 seen = 0;

	if (!buffer || !flags)
		return TEXT_END;
	task = current_task();
	fs = READ(task, fs);
	root = READ(fs, root.dentry);
	root_mnt = READ(fs, root.mnt);
	dentry = KERNEL(dentry, dentry);
	mnt = KERNEL(vfsmount, mnt);

	if (!READ(dentry, d_hash.pprev) && READ(dentry, d_parent) != dentry)
		seen |= TEXT_DELETED;

	for (u32 i = 0; i < PATH_COMPONENTS_MAX; i++) {
		struct dentry *parent;
		const unsigned char *name;
		u32 length;

		if (dentry == root && mnt == root_mnt)
			goto done;

		/* the top of a mounted file system: go on where it is mounted */
		if (dentry == READ(mnt, mnt_root)) {
			struct mount *m = mount_of(mnt);
			struct mount *above = READ(m, mnt_parent);

			if (above == m) {
				if (!READ(m, mnt_ns))
					seen |= TEXT_UNREACHABLE;
				goto done;
			}
			dentry = READ(m, mnt_mountpoint);
			mnt = KERNEL(vfsmount, ADDRESS(above, mnt));
			continue;
		}

		parent = READ(dentry, d_parent);
		length = at_most(READ(dentry, d_name.len), NAME_BYTES_MAX);
		name = READ(dentry, d_name.name);
		if (parent == dentry) {
			/* the top of a tree that is not mounted there: a pipe, a socket, a memfd */
			seen |= TEXT_PSEUDO;
			start -= length;
			if (start < TEXT_LEAD || start > TEXT_END)
				goto full;
			bpf_probe_read_kernel(&buffer->bytes[start], length, name);
			goto done;
		}

		start -= length + 1;
		if (start < TEXT_LEAD + 1 || start > TEXT_END)
			goto full;
		buffer->bytes[start] = '/';
		bpf_probe_read_kernel(&buffer->bytes[start + 1], length, name);
		dentry = parent;
		continue;
full:
		start += length + 1;
		seen |= TEXT_TRUNCATED;
		goto done;
	}
	seen |= TEXT_TRUNCATED;
done:
	/* the root itself */
	if (start == TEXT_END && !(seen & TEXT_PSEUDO)) {
		start = TEXT_END - 1;
		buffer->bytes[start] = '/';
	}
	*flags = seen;
	return start;
}

#endif
