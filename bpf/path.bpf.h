/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Resolves the absolute path of a (mount, dentry) as the current process sees it: from the name up to the root of the
 * process, across mounts. The rules are those of prepend_path() in fs/d_path.c, with one exception: a removed file
 * keeps its plain name and gets a flag, so that a filter still matches after an unlink. A path that the kernel does not
 * know has the flag STRING_UNKNOWN.
 */
#ifndef POLYTRACE_PATH_BPF_H
#define POLYTRACE_PATH_BPF_H

#include "string_buffer.bpf.h"

static __always_inline struct mount *real_mount(struct vfsmount *mnt)
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
	/* the beginning of a longer path is found if it has at most 9,216 more names */
	HEAD_ROUNDS = 9216 / ROUND_STEPS,
};

enum { DCACHE_DISCONNECTED = 1 << 5 }; /* a value of dentry.d_flags */

static __always_inline bool is_root(struct dentry *top)
{
	struct super_block *super = READ(top, d_sb);

	return READ(super, s_root) == top;
}

/*
 * `top` is its own parent, but not the root of the mount `mnt`. True if there is a path to it, which the kernel does
 * not know. A file that open_by_handle_at() has opened by its inode has no name until somebody looks it up. A folder
 * that was moved out of a bind mount can only be followed to the root of its file system.
 */
static __always_inline bool is_lost(struct dentry *top, struct vfsmount *mnt)
{
	return READ(top, d_flags) & DCACHE_DISCONNECTED || (mnt && is_root(top));
}

/* The verifier of old kernels does not always see the bounds of an offset in the head. */
static __always_inline u32 head_offset(u32 start, const bool in_head)
{
	if (!in_head)
		return start;
	opaque(start);
	return start & HEAD_MASK;
}

/* The head is full: moves the last HEAD_BYTES that were written to its end. Nothing else is needed. */
static __always_inline u32 shift_head(struct string_buffer *buffer, u32 start)
{
	bpf_probe_read_kernel(&buffer->head[HEAD_END - HEAD_BYTES], HEAD_BYTES, (void *)buffer->head + start);
	return HEAD_END - HEAD_BYTES;
}

#ifndef READ_PROBE
/*
 * every 64-bit kernel stores a name of up to 31 bytes in the dentry itself, in at least 32 bytes; longer names are
 * elsewhere
 */
enum { SHORT_NAME_MAX = 31 };

static __always_inline void *inline_name(struct dentry *dentry)
{
	struct dentry___since_6_14 *newer = (void *)dentry;

	if (bpf_core_field_exists(dentry->d_iname))
		return (void *)dentry + bpf_core_field_offset(dentry->d_iname);
	return (void *)dentry + bpf_core_field_offset(newer->d_shortname);
}

/*
 * Copies a name that is in the dentry itself, eight bytes at a time. A helper call would take four times as long for a
 * usual name. The bytes after the name are restored. Returns false for a longer name, which the caller copies.
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
 * Walks at most `steps` steps. Returns 1 if the walk has not ended. `in_head`: names are written to the head of the
 * buffer, because its bytes are full.
 */
static __always_inline int walk_steps(struct string_buffer *buffer, const u32 steps, const bool in_head)
{
	const u32 end = in_head ? HEAD_END : STRING_END;
	u8 *bytes = in_head ? buffer->head : buffer->bytes;
	/* in memory, so that the verifier does not follow each length of a name through the whole loop */
	volatile u32 *first = in_head ? &buffer->walk.head : &buffer->walk.start;
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
			struct mount *m = real_mount(mnt);
			struct mount *above = READ(m, mnt_parent);
			struct dentry *mountpoint = READ(m, mnt_mountpoint);

			/* the walk did not meet the root of the process */
			if (above == m) {
				buffer->walk.flags |= STRING_UNREACHABLE;
				return 0;
			}
			if (mountpoint != dentry)
				buffer->walk.crossed = 1;
			dentry = KERNEL(dentry, mountpoint);
			mnt = KERNEL(vfsmount, ADDRESS(above, mnt));
			top = READ(mnt, mnt_root);
			continue;
		}

		parent = READ(dentry, d_parent);
		length = at_most(READ(dentry, d_name.len), NAME_BYTES_MAX);
		if (parent == dentry) {
			if (is_lost(dentry, mnt)) {
				buffer->walk.flags |= STRING_UNKNOWN;
				return 0;
			}
			/* the root of the file system, whose mount is unknown */
			if (!mnt && is_root(dentry))
				return 0;
			/* the root of a tree that is not mounted: a pipe, a socket, a memfd */
			buffer->walk.flags |= STRING_PSEUDO;
			start -= length;
			opaque(start);
			if (start > end)
				return 0;
			*first = start;
			bpf_probe_read_kernel(&bytes[head_offset(start, in_head)], length, READ(dentry, d_name.name));
			return 0;
		}

		start -= length + 1;
		opaque(start);
		if (start < STRING_HEADROOM || start > end) {
			/* full: continue with the same name */
			start += length + 1;
			if (in_head) {
				*first = shift_head(buffer, start);
				continue;
			}
			buffer->walk.flags |= STRING_TRUNCATED;
			buffer->walk.dentry = (u64)dentry;
			buffer->walk.mnt = (u64)mnt;
			return 0;
		}
		*first = start;
		start = head_offset(start, in_head);
		bytes[start] = '/';
#ifdef READ_PROBE
		bpf_probe_read_kernel(&bytes[start + 1], length, READ(dentry, d_name.name));
#else
		if (in_head || !copy_name(&bytes[start + 1], dentry, length))
			bpf_probe_read_kernel(&bytes[start + 1], length, READ(dentry, d_name.name));
#endif
		dentry = parent;
	}
	buffer->walk.dentry = (u64)dentry;
	buffer->walk.mnt = (u64)mnt;
	return 1;
}

/* The first round. It is a global function, so that the verifier checks its loop only once for all calls. */
__noinline int walk_path(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;

	return buffer ? walk_steps(buffer, WALK_STEPS, false) : 0;
}

#ifdef READ_PROBE
/* As walk_path(), with names in the head. */
__noinline int walk_head(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;

	return buffer ? walk_steps(buffer, ROUND_STEPS, true) : 0;
}
#else
#define walk_head(buffer) walk_steps(buffer, ROUND_STEPS, true)
#endif

struct rounds {
	struct string_buffer *buffer;
	u32 more; /* 0: the walk has ended */
};

static long walk_round(u32 i __attribute__((unused)), struct rounds *rounds)
{
#ifdef READ_PROBE
	rounds->more = walk_path(PASS_BUFFER(rounds->buffer));
#else
	rounds->more = walk_steps(rounds->buffer, ROUND_STEPS, false);
#endif
	return !rounds->more;
}

static long head_round(u32 i __attribute__((unused)), struct rounds *rounds)
{
	rounds->more = walk_head(PASS_BUFFER(rounds->buffer));
	return !rounds->more;
}

/*
 * Walks the rounds after the first one, which is enough for most paths. The verifier checks this global function and
 * the next one only once, and not for each caller.
 */
__noinline int continue_walk(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	struct rounds rounds = { .buffer = buffer, .more = 1 };

	if (!buffer)
		return 0;
	REPEAT(WALK_ROUNDS, walk_round, &rounds);
	if (rounds.more)
		buffer->walk.flags |= STRING_TRUNCATED;
	return 0;
}

/* Continues the walk to the beginning of a path that is too long for the bytes of the buffer. */
__noinline int find_head(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	struct rounds rounds = { .buffer = buffer, .more = 1 };

	if (!buffer)
		return 0;
	bpf_probe_read_kernel(&buffer->head[HEAD_END - HEAD_BYTES], HEAD_BYTES,
			      (void *)buffer->bytes + at_most(buffer->walk.start, STRING_END));
	buffer->walk.head = HEAD_END - HEAD_BYTES;
	REPEAT(HEAD_ROUNDS, head_round, &rounds);
	if (rounds.more)
		buffer->walk.flags |= WALK_ENDLESS;
	return 0;
}

/* The beginning of a long path as a trie key, or null if it is unknown. */
static __always_inline struct trie_key *head_key(struct string_buffer *buffer, u32 slot, u32 longest)
{
	u32 start = buffer->walk.head;
	struct trie_key *key;

	if (buffer->walk.flags & WALK_ENDLESS || start < STRING_HEADROOM || start > HEAD_END)
		return 0;
	key = (void *)&buffer->head[head_offset(start - 5, true)];
	key->slot = slot;
	key->prefix_bits = 8 + 8 * longest;
	return key;
}

/* Begins a walk from (mnt, dentry) to the root of the task. */
static __always_inline void begin_walk(struct task_struct *task, struct string_buffer *buffer, struct dentry *dentry,
				       struct vfsmount *mnt)
{
	struct fs_struct *fs = READ(task, fs);

	buffer->walk.dentry = (u64)dentry;
	buffer->walk.mnt = (u64)mnt;
	buffer->walk.root_dentry = (u64)READ(fs, root.dentry);
	buffer->walk.root_mnt = (u64)READ(fs, root.mnt);
	buffer->walk.start = STRING_END;
	buffer->walk.crossed = 0;
	/* unhashed, and not the root of a tree: the name was removed */
	dentry = KERNEL(dentry, dentry);
	buffer->walk.flags = !READ(dentry, d_hash.pprev) && READ(dentry, d_parent) != dentry ? STRING_DELETED : 0;
}

/* Returns the offset of the first byte of the path. */
static __always_inline u32 end_walk(struct string_buffer *buffer)
{
	u32 start = buffer->walk.start;

	if (start < STRING_HEADROOM || start > STRING_END)
		start = STRING_END;
	/* the root itself */
	if (start == STRING_END && !(buffer->walk.flags & (STRING_PSEUDO | STRING_UNKNOWN))) {
		start = STRING_END - 1;
		buffer->bytes[start] = '/';
	}
	return start;
}

/*
 * Writes the path of (mnt, dentry), as the task sees it, so that it ends at STRING_END. Returns the offset of its first
 * byte. The flags are in buffer->walk.
 */
static __always_inline u32 resolve_task_path(struct task_struct *task, struct string_buffer *buffer,
					     struct dentry *dentry, struct vfsmount *mnt)
{
	begin_walk(task, buffer, dentry, mnt);
	if (walk_path(PASS_BUFFER(buffer)))
		continue_walk(PASS_BUFFER(buffer));
	if (buffer->walk.flags & STRING_TRUNCATED)
		find_head(PASS_BUFFER(buffer));
	return end_walk(buffer);
}

/* As resolve_task_path(), for the current process. */
static __always_inline u32 resolve_path(struct string_buffer *buffer, struct dentry *dentry, struct vfsmount *mnt)
{
	return resolve_task_path(current_task(), buffer, dentry, mnt);
}

#endif
