/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The negative cache: paths that no selector of the hook can match. docs/architecture.md explains when an entry is
 * valid.
 *
 * A path is resolved without locks. An entry is therefore stored only if no name and no mount has changed meanwhile:
 * the sequence counts of rename_lock and mount_lock were even before, and are the same afterwards. As long as they stay
 * the same, the path of a dentry stays the same. However, the kernel may reuse the memory of a dentry. An entry
 * therefore also has the name, and the inode number and the generation of its folder. A folder has no hard links.
 */
#ifndef POLYTRACE_NEGATIVE_CACHE_BPF_H
#define POLYTRACE_NEGATIVE_CACHE_BPF_H

#include "record.bpf.h"

/*
 * The result of a look-up. Any other value is the index of an entry plus one: the caller may store the path in that
 * entry.
 */
enum cache_result { CACHE_BYPASS = 0, CACHE_HIT = ~0U };

/*
 * The probe flavour has no cache: reads through a helper would cost as much as resolving the path. arm64 has none
 * either: its loads may be reordered, and a BPF program cannot order them.
 */
#if !defined(READ_PROBE) && defined(__TARGET_ARCH_x86)
#define HAS_NEGATIVE_CACHE

enum {
	MAGIC_EXT = 0xef53,
	MAGIC_OVERLAYFS = 0x794c7630,
	MAGIC_TMPFS = 0x01021994,
	MAGIC_XFS = 0x58465342,
	/*
	 * Entries expire after 6 s to 60 s, depending on the length of the kernel's tick. A sequence count needs 2^31
	 * changes until it repeats.
	 */
	CACHE_EXPIRY_TICKS = 6000,
};

/*
 * A folder of ext4 must not have changed for a minute. Its time is compared with TAI, which is less than a minute ahead
 * of the time of files.
 */
#define PARENT_STABLE_NS 120000000000ULL

static __always_inline u32 read_sequence(u64 lock)
{
	struct seqcount *count = KERNEL(seqcount, lock);

	return READ(count, sequence);
}

/* The time of the last change. No user can set it. */
static __always_inline u64 read_ctime(struct inode *inode)
{
	struct inode___since_6_6 *newer = (void *)inode;
	struct inode___since_6_11 *newest = (void *)inode;

	if (bpf_core_field_exists(newest->i_ctime_sec))
		return (u64)newest->i_ctime_sec * 1000000000 + newest->i_ctime_nsec;
	if (bpf_core_field_exists(newer->__i_ctime))
		return (u64)newer->__i_ctime.tv_sec * 1000000000 + newer->__i_ctime.tv_nsec;
	return (u64)inode->i_ctime.tv_sec * 1000000000 + inode->i_ctime.tv_nsec;
}

static __always_inline u32 name_length(u64 hash_len)
{
	return hash_len >> 32;
}

/* Also compares the bytes after the name, up to a whole word. If only these differ, the path is resolved again. */
static __always_inline bool has_same_name(const struct negative_entry *entry, struct dentry *dentry)
{
	const u64 *words = inline_name(dentry);
	u64 hash_len = READ(dentry, d_name.hash_len);
	u32 length = name_length(hash_len);

	return entry->hash_len == hash_len && entry->name[0] == words[0] &&
	       (length <= 8 || entry->name[1] == words[1]) && (length <= 16 || entry->name[2] == words[2]) &&
	       (length <= 24 || entry->name[3] == words[3]);
}

/*
 * The folder of a layer that identifies a folder of overlayfs. The kernel finds the inode of an overlay's folder by the
 * address of this inode, so an overlay never has two folders for it. Null for the root of an overlay.
 */
static __always_inline struct inode *layer_folder(struct inode *folder)
{
	return KERNEL(inode, READ(folder, i_private));
}

static __always_inline bool has_same_parent(const struct negative_entry *entry, struct inode *folder)
{
	/* the mount is the same, so both folders are on overlayfs, or none */
	if (entry->layer_device) {
		folder = layer_folder(folder);
		if (READ(READ(folder, i_sb), s_dev) != entry->layer_device)
			return false;
	}
	return entry->parent_inode == READ(folder, i_ino) && entry->parent_generation == READ(folder, i_generation) &&
	       (!entry->parent_ctime || entry->parent_ctime == read_ctime(folder));
}

/* Reads the sequence counts last: if they are unchanged, everything that was read before is unchanged, too. */
static __always_inline bool is_unchanged(const struct negative_entry *entry)
{
	u32 renames, mounts;

	barrier();
	renames = read_sequence(config.rename_lock);
	if (renames != entry->rename_seq)
		return false;
	mounts = read_sequence(config.mount_lock);
	return mounts == entry->mount_seq;
}

static __always_inline bool is_hit(const struct negative_entry *entry, struct task_struct *task, struct dentry *dentry,
				   struct vfsmount *mnt, u64 candidates)
{
	struct fs_struct *fs = READ(task, fs);
	struct dentry *parent = READ(dentry, d_parent);

	return entry->candidates == candidates && entry->mnt == (u64)mnt &&
	       entry->root_dentry == (u64)READ(fs, root.dentry) && entry->root_mnt == (u64)READ(fs, root.mnt) &&
	       has_same_name(entry, dentry) && has_same_parent(entry, READ(parent, d_inode)) &&
	       bpf_jiffies64() - entry->time < CACHE_EXPIRY_TICKS && is_unchanged(entry);
}

/*
 * The key of a path: the negated address of the dentry plus the index in config.objects. The verifier allows no other
 * arithmetic on a pointer.
 */
static __always_inline u64 negative_key(const struct dentry *dentry, u32 index)
{
	u64 number = (u64)dentry;

	asm volatile("%0 = -%0" : "+r"(number));
	return number + index; /* two dentries are further apart */
}

/*
 * The entries: NEGATIVE_CACHE_SIZE for each CPU and each of the two programs of a hook. They are a variable, so that
 * their address is a constant in the program. User space sets the size of the variable at load.
 */
struct negative_entry negative_cache[1] SEC(".data.negative_cache") = {};

/* `slot` is the result of scratch_slot(). Calls with different candidates use different entries. */
static __always_inline u32 entry_index(u32 slot, u64 key, u64 candidates)
{
	return slot << NEGATIVE_CACHE_BITS | ((u32)key ^ (u32)candidates) * 0x9e3779b1 >> (32 - NEGATIVE_CACHE_BITS);
}

static __always_inline struct negative_entry *get_entry(u32 number)
{
	struct negative_entry *first = negative_cache;

	opaque(first); /* for the compiler, the array has only one element */
	return number < config.cache_entries ? first + number : 0;
}

/* The result of a filter with `inode` depends on more than the path. */
static __always_inline bool is_cacheable_value(u32 index)
{
	const volatile struct object_config *object = &config.objects[index];

	return config.rename_lock && object->filtered && !object->inode;
}

/* Returns enum cache_result. The first look-up only marks the entry, because most files are accessed once. */
static __always_inline u32 lookup_negative(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
					   struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(dentry, index), now;
	u32 number = entry_index(slot, key, candidates);
	struct negative_entry *entry = get_entry(number);

	if (!entry)
		return CACHE_BYPASS;
	if (entry->key == key) {
		const struct negative_entry *same = entry;

		/* for the compiler, another pointer: it stays in a register, while `entry` waits on the stack */
		opaque(same);
		if (is_hit(same, task, dentry, mnt, candidates))
			return CACHE_HIT;
		entry->key = 0;
	} else if (entry->last_miss != key) {
		entry->last_miss = key;
		return CACHE_BYPASS;
	}
	now = bpf_jiffies64();
	/* with frequent renames, entries are invalid at once: do not store one each time */
	if (now - entry->time < config.cache_hold_ticks)
		return CACHE_BYPASS;
	entry->key = 0;
	entry->time = now;
	entry->rename_seq = read_sequence(config.rename_lock);
	entry->mount_seq = read_sequence(config.mount_lock);
	barrier();
	return number + 1;
}

/* A folder that ignores case may show a name in another case later. */
static __always_inline bool can_ignore_case(struct super_block *super)
{
	return bpf_core_field_exists(super->s_encoding) && READ(super, s_encoding);
}

/* Network file systems have no real inode generations, and a btrfs snapshot has the generations of its original. */
static __always_inline bool has_unique_folders(struct super_block *super)
{
	u64 magic = READ(super, s_magic);

	if (can_ignore_case(super))
		return false;
	return magic == MAGIC_EXT || magic == MAGIC_TMPFS || magic == MAGIC_XFS;
}

/* Who mounts an overlay in a user namespace may own its layers, and may change them. */
static __always_inline bool is_cacheable_overlay(struct super_block *super)
{
	if (can_ignore_case(super))
		return false;
	return READ(super, s_magic) == MAGIC_OVERLAYFS && !READ(READ(super, s_user_ns), level);
}

/*
 * The walk must have met the root of the process, or a mount that is attached nowhere, such as a layer of an overlay.
 * The root must be the root of a mount.
 */
static __always_inline bool is_cacheable_walk(const struct string_buffer *buffer)
{
	struct vfsmount *root = KERNEL(vfsmount, buffer->walk.root_mnt);

	return !(buffer->walk.flags & ~STRING_UNREACHABLE) && (u64)READ(root, mnt_root) == buffer->walk.root_dentry;
}

/*
 * Stores that no candidate matches this path. The kernel does not start a program on a CPU where it is interrupted, so
 * no other program accesses the entry meanwhile. Nevertheless, the key is written last.
 */
static __noinline int insert_negative(struct string_buffer *buffer, u32 index, struct dentry *dentry,
				      struct vfsmount *mnt, u64 candidates)
{
	struct negative_entry *entry = get_entry(buffer->cache_result - 1);
	struct super_block *super;
	struct dentry *parent;
	struct inode *folder;
	u64 *words, changed = 0;
	u32 device = 0;

	if (!entry)
		return 0;
	dentry = KERNEL(dentry, dentry);
	mnt = KERNEL(vfsmount, mnt);
	words = inline_name(dentry);
	super = READ(dentry, d_sb);
	entry->hash_len = READ(dentry, d_name.hash_len);
	parent = READ(dentry, d_parent);
	folder = READ(parent, d_inode);
	if (name_length(entry->hash_len) > SHORT_NAME_MAX || READ(mnt, mnt_sb) != super || !is_cacheable_walk(buffer))
		return 0;
	if (is_cacheable_overlay(super)) {
		folder = layer_folder(folder);
		super = READ(folder, i_sb);
		device = READ(super, s_dev);
	}
	if (!has_unique_folders(super))
		return 0;
	/* on ext4 without checksums, the owner of a folder can set its generation; this changes the time */
	if (READ(super, s_magic) == MAGIC_EXT) {
		changed = read_ctime(folder);
		if ((s64)(bpf_ktime_get_tai_ns() - changed) < (s64)PARENT_STABLE_NS)
			return 0;
	}
	entry->name[0] = words[0];
	entry->name[1] = words[1];
	entry->name[2] = words[2];
	entry->name[3] = words[3];
	entry->candidates = candidates;
	entry->mnt = (u64)mnt;
	entry->root_dentry = buffer->walk.root_dentry;
	entry->root_mnt = buffer->walk.root_mnt;
	entry->parent_inode = READ(folder, i_ino);
	entry->parent_generation = READ(folder, i_generation);
	entry->parent_ctime = changed;
	entry->layer_device = device;
	/* a count is odd while a writer holds its lock */
	if ((entry->rename_seq | entry->mount_seq) & 1 || !is_unchanged(entry))
		return 0;
	barrier();
	entry->key = negative_key(dentry, index);
	return 0;
}
#endif

#endif
