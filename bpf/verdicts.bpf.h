/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A memory of paths that no selector can match. docs/architecture.md says when an entry counts, and why.
 *
 * A path is resolved without locks, so an entry is kept only if no name and no mount has changed meanwhile: the sequence counts of
 * rename_lock and mount_lock were even before, and are the same afterwards. As long as they stay the same, so does the path of a
 * dentry. The memory of a dentry may be used again, however. An entry therefore also says in which folder that name was, by the number
 * and the generation of its inode, and the name. A folder has one place only.
 */
#ifndef POLYTRACE_VERDICTS_BPF_H
#define POLYTRACE_VERDICTS_BPF_H

#include "record.bpf.h"

/* The result of a look-up. Other values are the number of an entry plus one: the caller writes down there what it finds. */
enum known_path { PATH_PASSING = 0, PATH_MATCHES_NOTHING = ~0U };

/* Reads through a helper would cost as much as the path. On arm64, loads may be reordered, and a program cannot order them. */
#if !defined(READ_PROBE) && defined(__TARGET_ARCH_x86)
#define REMEMBERS_VERDICTS

enum {
	MAGIC_EXT = 0xef53,
	MAGIC_TMPFS = 0x01021994,
	MAGIC_XFS = 0x58465342,
	/* Entries expire, long before a sequence count can come back to the same number: 2^31 changes. In ticks of the kernel: 6 s to 60 s. */
	VERDICT_TICKS = 6000,
};

/* A folder of ext4 must have been the same for a minute. TAI, which it is compared with, is less than a minute ahead of the time of files. */
#define SETTLED_NS 120000000000ULL

/* The kernel changes both memory and counts: the compiler must not move a read across this. */
#define in_this_order() asm volatile("" ::: "memory")

static __always_inline u32 sequence_of(u64 lock)
{
	struct seqcount *count = KERNEL(seqcount, lock);

	return READ(count, sequence);
}

/* The time of the last change. Nobody can set it. */
static __always_inline u64 time_of_change(struct inode *inode)
{
	struct inode___since_6_6 *newer = (void *)inode;
	struct inode___since_6_11 *newest = (void *)inode;

	if (bpf_core_field_exists(newest->i_ctime_sec))
		return (u64)newest->i_ctime_sec * 1000000000 + newest->i_ctime_nsec;
	if (bpf_core_field_exists(newer->__i_ctime))
		return (u64)newer->__i_ctime.tv_sec * 1000000000 + newer->__i_ctime.tv_nsec;
	return (u64)inode->i_ctime.tv_sec * 1000000000 + inode->i_ctime.tv_nsec;
}

static __always_inline u32 length_of(u64 hash_len)
{
	return hash_len >> 32;
}

/* The bytes behind the name, up to a whole word, are compared, too: where they differ, the path is only resolved again. */
static __always_inline bool is_named(const struct known_verdict *entry, struct dentry *dentry)
{
	const u64 *words = inline_name(dentry);
	u64 hash_len = READ(dentry, d_name.hash_len);
	u32 length = length_of(hash_len);

	return entry->hash_len == hash_len && entry->name[0] == words[0] && (length <= 8 || entry->name[1] == words[1]) &&
	       (length <= 16 || entry->name[2] == words[2]) && (length <= 24 || entry->name[3] == words[3]);
}

static __always_inline bool is_in_folder(const struct known_verdict *entry, struct inode *folder)
{
	return entry->folder == READ(folder, i_ino) && entry->generation == READ(folder, i_generation) &&
	       (!entry->changed || entry->changed == time_of_change(folder));
}

/* The sequence counts are read last: what was read before them is then as it was when the entry was written. */
static __always_inline bool is_unchanged(const struct known_verdict *entry)
{
	u32 renames, mounts;

	in_this_order();
	renames = sequence_of(config.rename_lock);
	if (renames != entry->renames)
		return false;
	mounts = sequence_of(config.mount_lock);
	return mounts == entry->mounts;
}

static __always_inline bool matches_nothing(const struct known_verdict *entry, struct task_struct *task, struct dentry *dentry,
					    struct vfsmount *mnt, u64 candidates)
{
	struct fs_struct *fs = READ(task, fs);
	struct dentry *parent = READ(dentry, d_parent);

	return entry->candidates == candidates && entry->mnt == (u64)mnt &&
	       entry->root_dentry == (u64)READ(fs, root.dentry) && entry->root_mnt == (u64)READ(fs, root.mnt) &&
	       is_named(entry, dentry) && is_in_folder(entry, READ(parent, d_inode)) &&
	       bpf_jiffies64() - entry->time < VERDICT_TICKS && is_unchanged(entry);
}

/* The key of a path. It is the negative address: the verifier allows no other calculation with a pointer. */
static __always_inline u64 key_of(const struct dentry *dentry, u32 index)
{
	u64 number = (u64)dentry;

	asm volatile("%0 = -%0" : "+r"(number));
	return number + index; /* two dentries are further apart */
}

/*
 * The entries: VERDICTS_MAX for each CPU and each of a hook's two programs. They are a variable, and not a map with keys, so that
 * their address is a constant of the program. The variable gets its size at load.
 */
struct known_verdict verdicts[1] SEC(".data.verdicts") = {};

/* Calls with other candidates have another entry. `memory` is that of the program on this CPU: its index in the map `scratch`. */
static __always_inline u32 number_of(u32 memory, u64 key, u64 candidates)
{
	return memory << VERDICT_BITS | ((u32)key ^ (u32)candidates) * 0x9e3779b1 >> (32 - VERDICT_BITS);
}

static __always_inline struct known_verdict *entry_at(u32 number)
{
	struct known_verdict *first = verdicts;

	opaque(first); /* the compiler knows only the first one */
	return number < config.verdict_entries ? first + number : 0;
}

/* A filter with `inode` depends on more than the path. */
static __always_inline bool remembers(u32 index)
{
	const volatile struct object_config *of = &config.objects[index];

	return config.rename_lock && of->filtered && !of->inode;
}

/* Returns enum known_path. The first look-up only marks the entry: most files are not read again. */
static __always_inline u32 look_up_path(struct task_struct *task, u32 memory, u32 index, struct dentry *dentry, struct vfsmount *mnt,
					u64 candidates)
{
	u64 key = key_of(dentry, index), now;
	u32 number = number_of(memory, key, candidates);
	struct known_verdict *entry = entry_at(number);

	if (!entry)
		return PATH_PASSING;
	if (entry->key == key) {
		if (matches_nothing(entry, task, dentry, mnt, candidates))
			return PATH_MATCHES_NOTHING;
		entry->key = 0;
	} else if (entry->seen != key) {
		entry->seen = key;
		return PATH_PASSING;
	}
	now = bpf_jiffies64();
	/* names may change all the time */
	if (now - entry->time < config.verdict_rest)
		return PATH_PASSING;
	entry->key = 0;
	entry->time = now;
	entry->renames = sequence_of(config.rename_lock);
	entry->mounts = sequence_of(config.mount_lock);
	in_this_order();
	return number + 1;
}

/*
 * The path must lead to the root of the process, which must be the root of a mount. File systems of networks and overlays have no real
 * generations, and a snapshot of btrfs has those of its original. Folders that ignore case may show their names in another case later.
 */
static __always_inline bool is_lasting(const struct text_buffer *text, struct dentry *dentry, struct vfsmount *mnt)
{
	struct vfsmount *root = KERNEL(vfsmount, text->walk.root_mnt);
	struct super_block *super = READ(dentry, d_sb);
	u64 magic = READ(super, s_magic);

	if (magic != MAGIC_EXT && magic != MAGIC_TMPFS && magic != MAGIC_XFS)
		return false;
	if (bpf_core_field_exists(super->s_encoding) && READ(super, s_encoding))
		return false;
	return !text->walk.flags && (u64)READ(root, mnt_root) == text->walk.root_dentry && READ(mnt, mnt_sb) == super;
}

/*
 * Writes down that no candidate has passed the filters of this path. The kernel does not start a program on a CPU where it is
 * interrupted, so nobody reads or writes the entry meanwhile; the key is written last nevertheless.
 */
static __noinline int remember_path(struct text_buffer *text, u32 index, struct dentry *dentry, struct vfsmount *mnt, u64 candidates)
{
	struct known_verdict *entry = entry_at(text->known - 1);
	struct dentry *parent;
	struct inode *folder;
	u64 *words, changed = 0;

	if (!entry)
		return 0;
	dentry = KERNEL(dentry, dentry);
	mnt = KERNEL(vfsmount, mnt);
	words = inline_name(dentry);
	entry->hash_len = READ(dentry, d_name.hash_len);
	parent = READ(dentry, d_parent);
	folder = READ(parent, d_inode);
	if (length_of(entry->hash_len) > SHORT_NAME_MAX || !is_lasting(text, dentry, mnt))
		return 0;
	/* the owner of a folder can set its generation on ext4 without checksums, which changes this time */
	if (READ(READ(dentry, d_sb), s_magic) == MAGIC_EXT) {
		changed = time_of_change(folder);
		if ((s64)(bpf_ktime_get_tai_ns() - changed) < (s64)SETTLED_NS)
			return 0;
	}
	entry->name[0] = words[0];
	entry->name[1] = words[1];
	entry->name[2] = words[2];
	entry->name[3] = words[3];
	entry->candidates = candidates;
	entry->mnt = (u64)mnt;
	entry->root_dentry = text->walk.root_dentry;
	entry->root_mnt = text->walk.root_mnt;
	entry->folder = READ(folder, i_ino);
	entry->generation = READ(folder, i_generation);
	entry->changed = changed;
	/* a count is odd while a writer holds its lock */
	if ((entry->renames | entry->mounts) & 1 || !is_unchanged(entry))
		return 0;
	in_this_order();
	entry->key = key_of(dentry, index);
	return 0;
}
#endif

#endif
