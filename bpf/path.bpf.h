/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The absolute path of a (mount, dentry) as the current process sees it: from the name up to the process's root,
 * across mounts. The rules are those of prepend_path() in fs/d_path.c, with one exception: a removed file keeps its plain
 * name and gets a flag, so that unlinking does not escape a filter.
 */
#ifndef POLYTRACE_PATH_BPF_H
#define POLYTRACE_PATH_BPF_H

#include "text.bpf.h"

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return KERNEL(mount, (void *)mnt - bpf_core_field_offset(struct mount, mnt));
}

enum {
	/* a path of 4,094 bytes has at most 2,047 names ("/a"); the steps cover them and some mounts between them */
	WALK_STEPS = 16,
	WALK_ROUNDS = 136,
	/* beyond that, the beginning is found for paths with 9,216 names more */
	FAR_STEPS = 16,
	FAR_ROUNDS = 576,
};

/* The verifier of old kernels does not always see the bounds of places in the head. */
static __always_inline u32 place_in(u32 start, const bool far)
{
	if (!far)
		return start;
	opaque(start);
	return start & HEAD_MASK;
}

/* Only the last HEAD_KEPT bytes that were written are of use: they are moved to the end of the head. */
static __always_inline u32 empty_head(struct text_buffer *buffer, u32 start)
{
	bpf_probe_read_kernel(&buffer->head[HEAD_END - HEAD_KEPT], HEAD_KEPT, (void *)buffer->head + start);
	return HEAD_END - HEAD_KEPT;
}

#ifndef READ_PROBE
enum { SHORT_NAME_MAX = 64 };

/*
 * Copies a name so that it ends at bytes[end], eight bytes at a time from its end: for a usual name, a call of a helper takes four
 * times as long. Up to seven bytes before the name are written too; what comes before it in the path is written there next. Returns
 * false for a long name, which the caller copies. With more rounds of the loop, the verifier would need twice as long for a path.
 */
static __always_inline bool copy_name(u8 *bytes, u32 end, const unsigned char *name, u32 length)
{
	u64 from = (u64)name + length;

	for (u32 i = 8; i <= SHORT_NAME_MAX; i += 8) {
		u32 at = end - i;

		opaque(at);
		if (at > TEXT_END - 8)
			return true;
		*(u64 *)&bytes[at] = KERNEL(timespec64, from - i)->tv_sec;
		if (i >= length)
			return true;
	}
	return false;
}
#endif

/*
 * Some steps of the walk. Returns 1 when there is more to do. `far`: names are written to the head of the buffer, and not to its
 * bytes, which are full.
 */
static __always_inline int walk_steps(struct text_buffer *buffer, const bool far)
{
	const u32 end = far ? HEAD_END : TEXT_END;
	u8 *bytes = far ? buffer->head : buffer->bytes;
	struct dentry *dentry, *root, *top;
	struct vfsmount *mnt, *root_mnt;
	u32 start, more = 1;

	dentry = KERNEL(dentry, buffer->walk.dentry);
	mnt = KERNEL(vfsmount, buffer->walk.mnt);
	root = (void *)buffer->walk.root_dentry;
	root_mnt = (void *)buffer->walk.root_mnt;
	start = far ? buffer->walk.head : buffer->walk.start;
	top = READ(mnt, mnt_root);

	for (u32 i = 0; i < (far ? FAR_STEPS : WALK_STEPS); i++) {
		struct dentry *parent;
		const unsigned char *name;
		u32 length, at;

		if (dentry == root && mnt == root_mnt)
			goto done;

		/* the root of a mounted file system: continue at its mount point */
		if (dentry == top) {
			struct mount *m = mount_of(mnt);
			struct mount *above = READ(m, mnt_parent);
			struct dentry *place = READ(m, mnt_mountpoint);

			/* the root was not on the way */
			if (above == m) {
				buffer->walk.flags |= TEXT_UNREACHABLE;
				goto done;
			}
			if (place != dentry)
				buffer->walk.crossed = 1;
			dentry = KERNEL(dentry, place);
			mnt = KERNEL(vfsmount, ADDRESS(above, mnt));
			top = READ(mnt, mnt_root);
			continue;
		}

		parent = READ(dentry, d_parent);
		length = at_most(READ(dentry, d_name.len), NAME_BYTES_MAX);
		name = READ(dentry, d_name.name);
		if (parent == dentry) {
			/* the root of the file system, whose mount is not known */
			if (!mnt)
				goto done;
			/* the root of a tree that is not mounted: a pipe, a socket, a memfd */
			buffer->walk.flags |= TEXT_PSEUDO;
			start -= length;
			opaque(start);
			if (start > end)
				goto done;
			bpf_probe_read_kernel(&bytes[place_in(start, far)], length, name);
			goto done;
		}

		start -= length + 1;
		opaque(start);
		if (start < TEXT_LEAD || start > end) {
			/* full: this name comes again */
			start += length + 1;
			if (far) {
				start = empty_head(buffer, start);
				continue;
			}
			buffer->walk.flags |= TEXT_TRUNCATED;
			more = 0;
			break;
		}
		at = place_in(start, far);
#ifdef READ_PROBE
		bpf_probe_read_kernel(&bytes[at + 1], length, name);
#else
		if (far || !copy_name(bytes, start + 1 + length, name, length))
			bpf_probe_read_kernel(&bytes[at_most(at, end) + 1], at_most(length, NAME_BYTES_MAX), name);
#endif
		bytes[at_most(at, end)] = '/';
		dentry = KERNEL(dentry, parent);
	}
	buffer->walk.dentry = (u64)dentry;
	buffer->walk.mnt = (u64)mnt;
	goto out;
done:
	more = 0;
out:
	if (far)
		buffer->walk.head = start;
	else
		buffer->walk.start = start;
	return more;
}

/* One round. It is a global function: the verifier checks its loop once, for all calls. */
__noinline int walk_path(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;

	return buffer ? walk_steps(buffer, false) : 0;
}

/* The same with names in the head. */
__noinline int walk_far(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;

	return buffer ? walk_steps(buffer, true) : 0;
}

/*
 * The rounds after the first, which is enough for most paths. The verifier checks this function and the next one once, and not
 * once for each place that resolves a path.
 */
__noinline int walk_on(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;
	u32 more = 1;

	if (!buffer)
		return 0;
	for (u32 i = 1; i < WALK_ROUNDS && more; i++)
		more = walk_path(PASS_TEXT(buffer));
	if (more)
		buffer->walk.flags |= TEXT_TRUNCATED;
	return 0;
}

/* Walks on to the beginning of a path that is too long for the bytes of the buffer. */
__noinline int find_beginning(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;
	u32 more = 1;

	if (!buffer)
		return 0;
	bpf_probe_read_kernel(&buffer->head[HEAD_END - HEAD_KEPT], HEAD_KEPT,
			      (void *)buffer->bytes + at_most(buffer->walk.start, TEXT_END));
	buffer->walk.head = HEAD_END - HEAD_KEPT;
	for (u32 i = 0; i < FAR_ROUNDS && more; i++)
		more = walk_far(PASS_TEXT(buffer));
	if (more)
		buffer->walk.flags |= WALK_ENDLESS;
	return 0;
}

/* The beginning of a long path as the key of a trie; null: it is not known. */
static __always_inline struct trie_key *key_of_beginning(struct text_buffer *buffer, u32 slot, u32 longest)
{
	u32 start = buffer->walk.head;
	struct trie_key *key;

	if (buffer->walk.flags & WALK_ENDLESS || start < TEXT_LEAD || start > HEAD_END)
		return 0;
	key = (void *)&buffer->head[place_in(start - 5, true)];
	key->slot = slot;
	key->prefix_bits = 8 + 8 * longest;
	return key;
}

/*
 * Writes the path of (mnt, dentry), as the task sees it, so that it ends at TEXT_END. Returns where it starts. The
 * flags are in buffer->walk.
 */
static __always_inline u32 resolve_path_of(struct task_struct *task, struct text_buffer *buffer, struct dentry *dentry,
					   struct vfsmount *mnt)
{
	struct fs_struct *fs = READ(task, fs);
	u32 start;

	buffer->walk.dentry = (u64)dentry;
	buffer->walk.mnt = (u64)mnt;
	buffer->walk.root_dentry = (u64)READ(fs, root.dentry);
	buffer->walk.root_mnt = (u64)READ(fs, root.mnt);
	buffer->walk.start = TEXT_END;
	buffer->walk.crossed = 0;
	/* unhashed, and not the root of a tree: the name was removed */
	dentry = KERNEL(dentry, dentry);
	buffer->walk.flags = !READ(dentry, d_hash.pprev) && READ(dentry, d_parent) != dentry ? TEXT_DELETED : 0;

	if (walk_path(PASS_TEXT(buffer)))
		walk_on(PASS_TEXT(buffer));
	if (buffer->walk.flags & TEXT_TRUNCATED)
		find_beginning(PASS_TEXT(buffer));
	start = buffer->walk.start;
	if (start < TEXT_LEAD || start > TEXT_END)
		start = TEXT_END;
	/* the root itself */
	if (start == TEXT_END && !(buffer->walk.flags & TEXT_PSEUDO)) {
		start = TEXT_END - 1;
		buffer->bytes[start] = '/';
	}
	return start;
}

/* The same for the current process. */
static __always_inline u32 resolve_path(struct text_buffer *buffer, struct dentry *dentry, struct vfsmount *mnt)
{
	return resolve_path_of(current_task(), buffer, dentry, mnt);
}

#endif
