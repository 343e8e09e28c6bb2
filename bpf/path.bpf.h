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
	WALK_STEPS = 16,
#ifdef READ_PROBE
	ROUND_STEPS = 16,
#else
	ROUND_STEPS = 1,
#endif
	/* a path of 4,094 bytes has at most 2,047 names ("/a"); the steps cover them and some mounts between them */
	WALK_ROUNDS = 2160 / ROUND_STEPS,
	/* beyond that, the beginning is found for paths with 9,216 names more */
	FAR_ROUNDS = 9216 / ROUND_STEPS,
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
/* every 64-bit kernel keeps names of up to 31 bytes in the dentry itself, with at least 32 bytes of room, and only longer ones elsewhere */
enum { SHORT_NAME_MAX = 31 };

static __always_inline void *inline_name(struct dentry *dentry)
{
	struct dentry___since_6_14 *newer = (void *)dentry;

	if (bpf_core_field_exists(dentry->d_iname))
		return (void *)dentry + bpf_core_field_offset(dentry->d_iname);
	return (void *)dentry + bpf_core_field_offset(newer->d_shortname);
}

/*
 * Writes a name that the dentry contains, eight bytes at a time: for a usual name, a call of a helper takes four times as long. What is
 * written behind the name is put back. Returns false for another name, which the caller copies.
 */
static __always_inline bool copy_name(u8 *to, struct dentry *dentry, u32 length)
{
	u64 *words = inline_name(dentry);
	u64 behind;

	if (length > SHORT_NAME_MAX)
		return false;
	behind = *(u64 *)(to + length);
	*(u64 *)to = words[0];
	if (length > 8)
		*(u64 *)(to + 8) = words[1];
	if (length > 16)
		*(u64 *)(to + 16) = words[2];
	if (length > 24)
		*(u64 *)(to + 24) = words[3];
	*(u64 *)(to + length) = behind;
	return true;
}
#endif

/*
 * So many steps of the walk. Returns 1 when there is more to do. `far`: names are written to the head of the buffer, and not to its
 * bytes, which are full.
 */
static __always_inline int walk_steps(struct text_buffer *buffer, const u32 steps, const bool far)
{
	const u32 end = far ? HEAD_END : TEXT_END;
	u8 *bytes = far ? buffer->head : buffer->bytes;
	/* in memory, so that the verifier does not follow each length of a name through the whole loop */
	volatile u32 *first = far ? &buffer->walk.head : &buffer->walk.start;
	struct dentry *dentry, *root, *top;
	struct vfsmount *mnt, *root_mnt;

	dentry = KERNEL(dentry, buffer->walk.dentry);
	mnt = KERNEL(vfsmount, buffer->walk.mnt);
	root = (void *)buffer->walk.root_dentry;
	root_mnt = (void *)buffer->walk.root_mnt;
	top = READ(mnt, mnt_root);

	for (u32 i = 0; i < steps; i++) {
		struct dentry *parent;
		u32 length, start = *first;

		if (dentry == root && mnt == root_mnt)
			return 0;

		/* the root of a mounted file system: continue at its mount point */
		if (dentry == top) {
			struct mount *m = mount_of(mnt);
			struct mount *above = READ(m, mnt_parent);
			struct dentry *place = READ(m, mnt_mountpoint);

			/* the root was not on the way */
			if (above == m) {
				buffer->walk.flags |= TEXT_UNREACHABLE;
				return 0;
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
		if (parent == dentry) {
			/* the root of the file system, whose mount is not known */
			if (!mnt)
				return 0;
			/* the root of a tree that is not mounted: a pipe, a socket, a memfd */
			buffer->walk.flags |= TEXT_PSEUDO;
			start -= length;
			opaque(start);
			if (start > end)
				return 0;
			*first = start;
			bpf_probe_read_kernel(&bytes[place_in(start, far)], length, READ(dentry, d_name.name));
			return 0;
		}

		start -= length + 1;
		opaque(start);
		if (start < TEXT_LEAD || start > end) {
			/* full: this name comes again */
			start += length + 1;
			if (far) {
				*first = empty_head(buffer, start);
				continue;
			}
			buffer->walk.flags |= TEXT_TRUNCATED;
			buffer->walk.dentry = (u64)dentry;
			buffer->walk.mnt = (u64)mnt;
			return 0;
		}
		*first = start;
		start = place_in(start, far);
		bytes[start] = '/';
#ifdef READ_PROBE
		bpf_probe_read_kernel(&bytes[start + 1], length, READ(dentry, d_name.name));
#else
		if (far || !copy_name(&bytes[start + 1], dentry, length))
			bpf_probe_read_kernel(&bytes[start + 1], length, READ(dentry, d_name.name));
#endif
		dentry = parent;
	}
	buffer->walk.dentry = (u64)dentry;
	buffer->walk.mnt = (u64)mnt;
	return 1;
}

/* The first round. It is a global function: the verifier checks its loop once, for all calls. */
__noinline int walk_path(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;

	return buffer ? walk_steps(buffer, WALK_STEPS, false) : 0;
}

#ifdef READ_PROBE
/* The same with names in the head. */
__noinline int walk_far(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;

	return buffer ? walk_steps(buffer, ROUND_STEPS, true) : 0;
}
#else
#define walk_far(buffer) walk_steps(buffer, ROUND_STEPS, true)
#endif

struct rounds {
	struct text_buffer *buffer;
	u32 more; /* 0: the walk has ended */
};

static long walk_round(u32 i __attribute__((unused)), struct rounds *rounds)
{
#ifdef READ_PROBE
	rounds->more = walk_path(PASS_TEXT(rounds->buffer));
#else
	rounds->more = walk_steps(rounds->buffer, ROUND_STEPS, false);
#endif
	return !rounds->more;
}

static long far_round(u32 i __attribute__((unused)), struct rounds *rounds)
{
	rounds->more = walk_far(PASS_TEXT(rounds->buffer));
	return !rounds->more;
}

/*
 * The rounds after the first, which is enough for most paths. The verifier checks this function and the next one once, and not
 * once for each place that resolves a path.
 */
__noinline int walk_on(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;
	struct rounds rounds = { .buffer = buffer, .more = 1 };

	if (!buffer)
		return 0;
	REPEAT(WALK_ROUNDS, walk_round, &rounds);
	if (rounds.more)
		buffer->walk.flags |= TEXT_TRUNCATED;
	return 0;
}

/* Walks on to the beginning of a path that is too long for the bytes of the buffer. */
__noinline int find_beginning(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;
	struct rounds rounds = { .buffer = buffer, .more = 1 };

	if (!buffer)
		return 0;
	bpf_probe_read_kernel(&buffer->head[HEAD_END - HEAD_KEPT], HEAD_KEPT,
			      (void *)buffer->bytes + at_most(buffer->walk.start, TEXT_END));
	buffer->walk.head = HEAD_END - HEAD_KEPT;
	REPEAT(FAR_ROUNDS, far_round, &rounds);
	if (rounds.more)
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
