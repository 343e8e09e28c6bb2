/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The negative cache: paths that no selector of the hook can match. docs/architecture.md explains when an entry is
 * valid.
 *
 * A path is resolved without locks. An entry is therefore stored only if no name and no mount has changed meanwhile:
 * the sequence counts of rename_lock and mount_lock were even before, and are the same afterwards. As long as they stay
 * the same, the path of a dentry stays the same. However, the kernel may reuse the memory of a dentry. An entry
 * therefore also has the name, and the inode number and the generation of its folder. A folder has no hard links.
 *
 * If no value of Equal and Prefix names a file in the folder, these filters have the same result for each of its files.
 * Then an entry is valid for all files of the folder whose names no value of Postfix can end with. If no value names a
 * file anywhere in a mount of procfs, sysfs or cgroup2, an entry is valid for all its files in the same way.
 */
#ifndef POLYTRACE_NEGATIVE_CACHE_BPF_H
#define POLYTRACE_NEGATIVE_CACHE_BPF_H

#include "record.bpf.h"

/*
 * The result of a look-up. Any other value is the index of an entry plus one: the caller may store the path in that
 * entry, or with WHOLE_FOLDER the folder of the path.
 */
enum cache_result { CACHE_BYPASS = 0, CACHE_HIT = ~0U, FOLDER_UNDECIDED = ~0U - 1, WHOLE_FOLDER = 1U << 30 };

/*
 * The probe flavour has no cache: reads through a helper would cost as much as resolving the path. arm64 has none
 * either: its loads may be reordered, and a BPF program cannot order them.
 */
#if !defined(READ_PROBE) && defined(__TARGET_ARCH_x86)
#define HAS_NEGATIVE_CACHE

enum {
	MAGIC_CGROUP2 = 0x63677270,
	MAGIC_EXT = 0xef53,
	MAGIC_OVERLAYFS = 0x794c7630,
	MAGIC_PIPEFS = 0x50495045,
	MAGIC_PROC = 0x9fa0,
	MAGIC_SOCKFS = 0x534f434b,
	MAGIC_SYSFS = 0x62656572,
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

/*
 * In layer_device: the folder is the root of the mount. A mount keeps its root, so the same dentry in the same mount is
 * the same folder on every file system.
 */
#define ROOT_OF_MOUNT (~0U)

/* `whole`: the key of the entry is that of the folder. */
static __always_inline bool has_same_parent(const struct negative_entry *entry, struct dentry *parent,
					    struct vfsmount *mnt, const bool whole)
{
	struct inode *folder;

	if (entry->layer_device == ROOT_OF_MOUNT)
		return whole || READ(mnt, mnt_root) == parent;
	folder = READ(parent, d_inode);
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
	if (unlikely(renames != entry->rename_seq))
		return false;
	mounts = read_sequence(config.mount_lock);
	return mounts == entry->mount_seq;
}

/* What an entry stands for. */
enum entry_scope { ONE_FILE, FILES_IN_FOLDER, FILES_IN_MOUNT };

/* `parent` is not used with FILES_IN_MOUNT. */
static __always_inline bool is_hit(const struct negative_entry *entry, struct task_struct *task, struct dentry *dentry,
				   struct dentry *parent, struct vfsmount *mnt, u64 candidates, const u32 scope)
{
	struct fs_struct *fs = READ(task, fs);

	return likely(entry->candidates == candidates) && likely(entry->mnt == (u64)mnt) &&
	       likely(entry->root_dentry == (u64)READ(fs, root.dentry)) &&
	       likely(entry->root_mnt == (u64)READ(fs, root.mnt)) &&
	       likely(scope != ONE_FILE || has_same_name(entry, dentry)) &&
	       likely(scope == FILES_IN_MOUNT || has_same_parent(entry, parent, mnt, scope == FILES_IN_FOLDER)) &&
	       likely(bpf_jiffies64() - entry->time < CACHE_EXPIRY_TICKS) && likely(is_unchanged(entry));
}

/* Parts of the keys of a whole folder, which is also a path itself, and of a whole mount. */
enum { FOLDER_KEY = 16, MOUNT_KEY = 32 };

/*
 * In last_miss, with the key of a folder: its paths have entries of their own, because values name files in it, or
 * those whose names a value of Postfix may end.
 */
#define HAS_VALUES (1ULL << 63)
#define NAMES_DECIDE (1ULL << 62)

/*
 * The key of a path: the negated address of the dentry, or of the mount, plus the index in config.objects. The verifier
 * allows no other arithmetic on a pointer.
 */
static __always_inline u64 negative_key(const void *object, u32 index)
{
	u64 number = (u64)object;

	asm volatile("%0 = -%0" : "+r"(number));
	return number + index; /* two objects are further apart */
}

/*
 * The entries: NEGATIVE_CACHE_SIZE for each CPU and each of the two programs of a hook. They are a variable, so that
 * their address is a constant in the program. User space sets the size of the variable at load.
 */
struct negative_entry negative_cache[1] SEC(".data.negative_cache") = {};

/* `slot` is the result of scratch_slot(). Calls with different candidates use different entries. */
static __always_inline u32 entry_index(u32 slot, u64 key, u64 candidates)
{
	u32 bits = NEGATIVE_CACHE_BITS;

	if (!config.pair) {
		/* the only program of the hook has the entries of both */
		slot /= 2;
		bits++;
	}
	return slot << bits | ((u32)key ^ (u32)candidates) * 0x9e3779b1 >> (32 - bits);
}

static __always_inline struct negative_entry *get_entry(u32 number)
{
	struct negative_entry *first = negative_cache;

	opaque(first); /* for the compiler, the array has only one element */
	if (!first)
		__builtin_unreachable();
	return number < config.cache_entries ? first + number : 0;
}

/* The result of a filter with `inode` depends on more than the path. */
static __always_inline bool is_cacheable_value(u32 index)
{
	const volatile struct object_config *object = &config.objects[index];

	return config.rename_lock && object->filtered && !object->inode;
}

static __always_inline u64 name_address(struct dentry *dentry, u32 length)
{
	return length > SHORT_NAME_MAX ? (u64)READ(dentry, d_name.name) : (u64)inline_name(dentry);
}

/*
 * Makes a folder on the path in the buffer a key of a trie. `name`: bytes of the path after the folder. Returns NULL if
 * the folder is too long for a key.
 */
static __always_inline struct trie_key *folder_key(struct string_buffer *buffer, u32 name, u32 slot)
{
	u32 start = buffer->walk.start, length = STRING_END - start - name;
	struct trie_key *key;

	if (start < STRING_HEADROOM || start > STRING_END || length > FILTER_STRING_MAX)
		return NULL;
	key = (void *)&buffer->bytes[start - 5];
	key->slot = slot;
	key->prefix_bits = 8 + 8 * length;
	return key;
}

#ifdef POLICY_GROUP
#include "group_names.bpf.h"
#else
#include "name_filters.bpf.h"
#endif

/*
 * True if no candidate matches a file of this mount. The kernel has one mount for all pipes, one for all sockets and
 * one for memory files, and never unmounts them. The name of a pipe is empty, and that of a socket is the name of its
 * protocol.
 */
static __always_inline bool is_unmatched_in_mount(u32 index, struct dentry *dentry, struct vfsmount *mnt,
						  u64 candidates)
{
	if ((u64)mnt == pipe_mount)
		return !may_match_bare_name(index, dentry, true, candidates);
	return ((u64)mnt == socket_mount || (u64)mnt == memory_mount) &&
	       !may_match_bare_name(index, dentry, false, candidates);
}

/*
 * Stores the mount of a dentry that has a name without a path, if its file system has this magic number. While another
 * thread closes a descriptor, the dentry and the mount may belong to two files.
 */
static __always_inline void learn_mount(volatile unsigned long long *known, struct dentry *dentry, struct vfsmount *mnt,
					u64 magic)
{
	struct super_block *super = READ(dentry, d_sb);

	if (READ(mnt, mnt_sb) == super && READ(super, s_magic) == magic)
		*known = (u64)mnt;
}

/* Drivers have other mounts for memory files, and unmount them, so this mount is known by a variable of the kernel. */
static __always_inline void learn_memory_mount(struct vfsmount *mnt)
{
	if (config.shm_mnt && read_word(config.shm_mnt) == (u64)mnt)
		memory_mount = (u64)mnt;
}

/*
 * True if the dentry, which is its own parent, has a name without a path that no candidate matches: a pipe, a socket, a
 * memfd, an anonymous inode. The kernel gives the name "/" to all other dentries that are their own parents, which are
 * the roots of file systems and what was opened by its inode. Nothing renames a dentry without a folder.
 */
static __always_inline bool is_unmatched_name(u32 index, struct dentry *dentry, struct vfsmount *mnt, u64 candidates)
{
	u32 length = READ(dentry, d_name.len);

	/* a namespace that is mounted has the path of its mount point */
	if (READ(mnt, mnt_root) == dentry)
		return false;
	if (length) {
		if ((u8)read_word(name_address(dentry, length)) == '/')
			return false;
		if (socket_mount == UNKNOWN_MOUNT)
			learn_mount(&socket_mount, dentry, mnt, MAGIC_SOCKFS);
		if (memory_mount == UNKNOWN_MOUNT)
			learn_memory_mount(mnt);
	} else if (pipe_mount == UNKNOWN_MOUNT) {
		learn_mount(&pipe_mount, dentry, mnt, MAGIC_PIPEFS);
	}
	return !may_match_bare_name(index, dentry, !length, candidates);
}

/* The entry is not valid any more. The next access to the path may store it again. */
static __always_inline u32 drop_entry(struct negative_entry *entry, u64 key)
{
	entry->key = 0;
	entry->last_miss = key;
	entry->time = 0;
	return CACHE_BYPASS;
}

/* Decides whether to replace an entry with another key. Returns enum cache_result. */
static __always_inline u32 replace_entry(struct negative_entry *entry, u32 number, u64 key)
{
	u64 now;

	/* only marks the entry, because most files are accessed once */
	if (entry->last_miss != key) {
		entry->last_miss = key;
		return CACHE_BYPASS;
	}
	now = bpf_jiffies64();
	if (now - entry->time < config.cache_hold_ticks)
		return CACHE_BYPASS;
	entry->key = 0;
	entry->time = now;
	entry->rename_seq = read_sequence(config.rename_lock);
	entry->mount_seq = read_sequence(config.mount_lock);
	barrier();
	return number + 1;
}

/*
 * True if the path may be one that a whole mount decides. While another thread closes a descriptor, the dentry and the
 * mount that were read may belong to two files.
 */
static __always_inline bool has_mount_entries(u32 index)
{
	return config.values[config.objects[index].slot].read != READ_FD;
}

/* The bit of a mount with this key in cached_mounts. Several mounts have the same bit. */
static __always_inline u64 mount_bit(u64 key)
{
	return 1ULL << ((u32)key * 0x9e3779b1 >> 26);
}

/* True if no candidate matches any file of the mount whose name no value of Postfix can end with, and this is one. */
static __always_inline bool is_in_unmatched_mount(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
						  struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(mnt, index + MOUNT_KEY);
	struct negative_entry *entry;

	if (!(cached_mounts & mount_bit(key)))
		return false;
	entry = get_entry(entry_index(slot, key, candidates) & ~1U);
	if (!entry || entry->key != key || may_match_name_in_entry(entry, index, dentry, candidates))
		return false;
	if (is_hit(entry, task, dentry, 0, mnt, candidates, FILES_IN_MOUNT))
		return true;
	entry->key = 0;
	return false;
}

/* Returns enum cache_result; FOLDER_UNDECIDED: the path may have an entry of its own. */
static __always_inline u32 lookup_folder(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
					 struct dentry *parent, struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(parent, index + FOLDER_KEY), marks;
	u32 number = entry_index(slot, key, candidates) & ~1U, result;
	struct negative_entry *entry = get_entry(number);

	if (unlikely(!entry))
		return CACHE_BYPASS;
	if (likely(entry->key == key)) {
		if (unlikely(may_match_name_in_entry(entry, index, dentry, candidates)))
			return FOLDER_UNDECIDED;
		if (likely(is_hit(entry, task, dentry, parent, mnt, candidates, FILES_IN_FOLDER)))
			return CACHE_HIT;
		return drop_entry(entry, key);
	}
	if (has_mount_entries(index) && is_in_unmatched_mount(task, slot, index, dentry, mnt, candidates))
		return CACHE_HIT;
	marks = entry->last_miss ^ key;
	if (marks == HAS_VALUES)
		return FOLDER_UNDECIDED;
	if (marks == NAMES_DECIDE && may_match_name_in_folder(index, dentry, candidates))
		return FOLDER_UNDECIDED;
	result = replace_entry(entry, number, key);
	if (result == CACHE_BYPASS)
		return CACHE_BYPASS;
	/* after the counts were read */
	if (may_match_name_in_folder(index, dentry, candidates)) {
		entry->last_miss = key | NAMES_DECIDE;
		return FOLDER_UNDECIDED;
	}
	return result | WHOLE_FOLDER;
}

/* Returns enum cache_result. */
static __always_inline u32 lookup_path(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
				       struct dentry *parent, struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(dentry, index);
	/* folders have the even entries, so that no file replaces the entry or the mark of its own folder */
	u32 number = entry_index(slot, key, candidates) | config.objects[index].folders;
	struct negative_entry *entry = get_entry(number);

	if (!entry)
		return CACHE_BYPASS;
	if (entry->key != key)
		return replace_entry(entry, number, key);
	if (is_hit(entry, task, dentry, parent, mnt, candidates, ONE_FILE))
		return CACHE_HIT;
	return drop_entry(entry, key);
}

/* Returns enum cache_result. */
static __always_inline u32 lookup_negative(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
					   struct vfsmount *mnt, u64 candidates)
{
	struct dentry *parent = READ(dentry, d_parent);

	if (parent == dentry) {
		if (!dentry)
			return CACHE_BYPASS;
		if (is_unmatched_name(index, dentry, mnt, candidates))
			return CACHE_HIT;
	} else if (config.objects[index].folders) {
		u32 result = lookup_folder(task, slot, index, dentry, parent, mnt, candidates);

		if (result != FOLDER_UNDECIDED)
			return result;
	}
	return lookup_path(task, slot, index, dentry, parent, mnt, candidates);
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

/* Makes the entry valid, unless a path has changed since its counts were read. */
static __always_inline void store_entry(struct negative_entry *entry, u64 key)
{
	/* a count is odd while a writer holds its lock */
	if ((entry->rename_seq | entry->mount_seq) & 1 || !is_unchanged(entry))
		return;
	barrier();
	entry->key = key;
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
 * Folders in these file systems have no numbers that tell them apart, so they cannot have entries. All dentries that
 * are not their own parent are below the root of the file system: it has no files that were moved out of a mount, or
 * that are only known by their inode.
 */
static __always_inline bool has_mount_entry(struct super_block *super, struct dentry *top)
{
	u64 magic = READ(super, s_magic);

	return (magic == MAGIC_PROC || magic == MAGIC_SYSFS || magic == MAGIC_CGROUP2) && READ(super, s_root) == top;
}

enum { MOUNT_DEPTH_MAX = 16 };

/* The bytes of the path after the root of the mount, without the first slash. Returns 0 if it has too many folders. */
static __noinline u32 length_in_mount(struct dentry *dentry, struct dentry *top)
{
	u32 length = 0;

	dentry = KERNEL(dentry, dentry);
	for (u32 i = 0; i < MOUNT_DEPTH_MAX; i++) {
		length += 1 + READ(dentry, d_name.len);
		dentry = READ(dentry, d_parent);
		if (dentry == top)
			return length - 1;
	}
	return 0;
}

/*
 * Stores that no candidate matches a file of this mount, if the path of none may be one of the values or begin with
 * one. `from`: the entry of the folder, with the counts from before the path was resolved. Returns false if the mount
 * can have no entry.
 */
static __always_inline bool insert_mount(struct string_buffer *buffer, u32 index, const struct negative_entry *from,
					 struct dentry *dentry, struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(mnt, index + MOUNT_KEY);
	struct dentry *top = READ(mnt, mnt_root);
	struct negative_entry *entry;
	u32 name, number;

	if (!has_mount_entries(index) || !has_mount_entry(READ(dentry, d_sb), top))
		return false;
	name = length_in_mount(dentry, top);
	if (!name || has_values_below(buffer, index, name))
		return false;
	number = entry_index(buffer->map_index, key, candidates) & ~1U;
	opaque(number); /* not computed before the calls: the verifier needs its bounds */
	entry = get_entry(number);
	if (!entry)
		return false;
	entry->key = 0;
	entry->hash_len = folder_ends();
	entry->candidates = candidates;
	entry->mnt = (u64)mnt;
	entry->root_dentry = buffer->walk.root_dentry;
	entry->root_mnt = buffer->walk.root_mnt;
	entry->time = from->time;
	entry->rename_seq = from->rename_seq;
	entry->mount_seq = from->mount_seq;
	store_entry(entry, key);
	/* another CPU may overwrite the bit; the next file of the mount sets it again */
	cached_mounts |= mount_bit(key);
	return true;
}

/*
 * Stores that no candidate matches this path. The kernel does not start a program on a CPU where it is interrupted, so
 * no other program accesses the entry meanwhile. Nevertheless, the key is written last.
 */
static __noinline int insert_negative(struct string_buffer *buffer, u32 index, struct dentry *dentry,
				      struct vfsmount *mnt, u64 candidates)
{
	bool whole = buffer->cache_result & WHOLE_FOLDER;
	struct negative_entry *entry = get_entry((buffer->cache_result & ~WHOLE_FOLDER) - 1);
	struct super_block *super;
	struct dentry *parent, *top;
	struct inode *folder;
	u64 *words, key, changed = 0;
	u32 device = 0;

	if (!entry || index >= HOOK_VALUES_MAX)
		return 0;
	dentry = KERNEL(dentry, dentry);
	mnt = KERNEL(vfsmount, mnt);
	super = READ(dentry, d_sb);
	entry->hash_len = READ(dentry, d_name.hash_len);
	parent = READ(dentry, d_parent);
	folder = READ(parent, d_inode);
	if (READ(mnt, mnt_sb) != super || !is_cacheable_walk(buffer))
		return 0;
	key = negative_key(dentry, index);
	top = READ(mnt, mnt_root);
	if (config.objects[index].folders && whole) {
		/* files in the root of the mount have a folder of their own, which decides them sooner */
		if (parent != top && insert_mount(buffer, index, entry, dentry, mnt, candidates))
			return 0;
		key = negative_key(parent, index + FOLDER_KEY);
		/* the path of a file that is the root of the mount is the mount point, and not in this folder */
		if ((top != parent && READ(top, d_parent) == parent) ||
		    has_folder_values(buffer, index, name_length(entry->hash_len))) {
			entry->last_miss = key | HAS_VALUES;
			return 0;
		}
		entry->hash_len = folder_ends();
	} else if (name_length(entry->hash_len) > SHORT_NAME_MAX) {
		return 0;
	}
	if (parent == top && dentry != top) {
		if (can_ignore_case(super))
			return 0;
		device = ROOT_OF_MOUNT;
	} else {
		if (is_cacheable_overlay(super)) {
			folder = layer_folder(folder);
			super = READ(folder, i_sb);
			device = READ(super, s_dev);
		}
		if (!has_unique_folders(super))
			return 0;
	}
	/* on ext4 without checksums, the owner of a folder can set its generation; this changes the time */
	if (READ(super, s_magic) == MAGIC_EXT && device != ROOT_OF_MOUNT) {
		changed = read_ctime(folder);
		if ((s64)(bpf_ktime_get_tai_ns() - changed) < (s64)PARENT_STABLE_NS)
			return 0;
	}
	words = inline_name(dentry);
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
	store_entry(entry, key);
	return 0;
}
#endif

#endif
