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
 * Then an entry is valid for all files of the folder whose names no value of Postfix can end with.
 *
 * A fresh path needs neither a name nor a folder. The kernel frees a dentry with a folder only after a grace period of
 * RCU, so until one has ended, the same address is the same dentry. Fresh paths are looked up first.
 */
#ifndef POLYTRACE_NEGATIVE_CACHE_BPF_H
#define POLYTRACE_NEGATIVE_CACHE_BPF_H

#include "record.bpf.h"
#include "string_tables.bpf.h"

/*
 * The result of a look-up. Any other value says what the caller may store: the index of an entry plus one for the path,
 * or with WHOLE_FOLDER for its folder; with FRESH_PATH, a fresh path.
 */
enum cache_result {
	CACHE_BYPASS = 0,
	CACHE_HIT = ~0U,
	FOLDER_UNDECIDED = ~0U - 1,
	WHOLE_FOLDER = 1U << 30,
	FRESH_PATH = 1U << 29,
	ENTRY_NUMBER = FRESH_PATH - 1,
};

/*
 * The probe flavour has no cache: reads through a helper would cost as much as resolving the path. arm64 has none
 * either: its loads may be reordered, and a BPF program cannot order them.
 */
#if !defined(READ_PROBE) && defined(__TARGET_ARCH_x86)
#define HAS_NEGATIVE_CACHE

enum {
	MAGIC_EXT = 0xef53,
	MAGIC_OVERLAYFS = 0x794c7630,
	MAGIC_PIPEFS = 0x50495045,
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
static __always_inline bool are_unchanged(u32 renames, u32 mounts)
{
	barrier();
	return read_sequence(config.rename_lock) == renames && read_sequence(config.mount_lock) == mounts;
}

/* `whole`: the entry is one for the whole folder `parent`. */
static __always_inline bool is_hit(const struct negative_entry *entry, struct task_struct *task, struct dentry *dentry,
				   struct dentry *parent, struct vfsmount *mnt, u64 candidates, const bool whole)
{
	struct fs_struct *fs = READ(task, fs);

	return entry->candidates == candidates && entry->mnt == (u64)mnt &&
	       entry->root_dentry == (u64)READ(fs, root.dentry) && entry->root_mnt == (u64)READ(fs, root.mnt) &&
	       (whole || has_same_name(entry, dentry)) && has_same_parent(entry, READ(parent, d_inode)) &&
	       bpf_jiffies64() - entry->time < CACHE_EXPIRY_TICKS && are_unchanged(entry->rename_seq, entry->mount_seq);
}

/* Part of the key of a whole folder: a folder is also a path itself. */
enum { FOLDER_KEY = 16 };

/*
 * In last_miss, with the key of a folder: its paths have entries of their own, because values name files in it, or
 * those whose names a value of Postfix may end.
 */
#define HAS_VALUES (1ULL << 63)
#define NAMES_DECIDE (1ULL << 62)

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
 * One entry of which only `mnt` is used: the mount of all pipes, after one was seen. Then FRESH_PATHS_SIZE fresh paths
 * for each CPU and each of the two programs of a hook, and as many times NEGATIVE_CACHE_SIZE entries. They are a
 * variable, so that their address is a constant in the program. User space sets the size of the variable at load.
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

static __always_inline u32 fresh_paths_count(void)
{
	return config.cache_entries / NEGATIVE_CACHE_SIZE * FRESH_PATHS_SIZE;
}

static __always_inline struct negative_entry *get_entry(u32 number)
{
	struct negative_entry *first = negative_cache;
	struct fresh_path *fresh;

	opaque(first); /* for the compiler, the array has only one element */
	fresh = (struct fresh_path *)(first + 1);
	return number < config.cache_entries ? (struct negative_entry *)(fresh + fresh_paths_count()) + number : 0;
}

/* Calls with different candidates use different fresh paths. */
static __always_inline struct fresh_path *get_fresh_path(u32 slot, u64 key, u64 candidates)
{
	struct negative_entry *first = negative_cache;
	u32 bits = FRESH_PATHS_BITS, number;

	if (!config.pair) {
		slot /= 2;
		bits++;
	}
	number = slot << bits | ((u32)key ^ (u32)candidates) * 0x9e3779b1 >> (32 - bits);
	opaque(first);
	return number < fresh_paths_count() ? (struct fresh_path *)(first + 1) + number : 0;
}

/*
 * Callbacks of RCU must wait for the grace periods that gp_seq counts. A kernel where others will do has another type
 * for what they wait for.
 */
static __always_inline bool has_fresh_paths(u32 index)
{
	struct rcu_state *state = 0;
	struct rcu_segcblist *callbacks = 0;

	/* another thread may close a descriptor meanwhile */
	return config.rcu_state && config.values[config.objects[index].slot].read != READ_FD &&
	       bpf_core_field_exists(state->gp_seq) && bpf_core_field_exists(callbacks->gp_seq) &&
	       bpf_core_field_size(callbacks->gp_seq) == 4 * sizeof(u64);
}

static __always_inline u32 read_grace_period(void)
{
	struct rcu_state *state = KERNEL(rcu_state, config.rcu_state);

	return (u32)READ(state, gp_seq);
}

static __always_inline bool is_fresh(const struct fresh_path *path, struct task_struct *task, struct vfsmount *mnt,
				     u64 candidates)
{
	struct fs_struct *fs = READ(task, fs);

	return path->candidates == candidates && path->mnt == (u64)mnt &&
	       path->root_dentry == (u64)READ(fs, root.dentry) && path->root_mnt == (u64)READ(fs, root.mnt) &&
	       bpf_jiffies64() - path->time < CACHE_EXPIRY_TICKS && read_grace_period() == path->grace_period &&
	       are_unchanged(path->rename_seq, path->mount_seq);
}

/* The counts are valid now, and `time` and the key are written last. */
static __always_inline void store_fresh_path(struct fresh_path *path, u64 key, u64 candidates, struct vfsmount *mnt,
					     u64 root_dentry, u64 root_mnt)
{
	path->candidates = candidates;
	path->mnt = (u64)mnt;
	path->root_dentry = root_dentry;
	path->root_mnt = root_mnt;
	path->grace_period = read_grace_period();
	path->time = bpf_jiffies64();
	barrier();
	path->key = key;
}

/* The result of a filter with `inode` depends on more than the path. */
static __always_inline bool is_cacheable_value(u32 index)
{
	const volatile struct object_config *object = &config.objects[index];

	return config.rename_lock && object->filtered && !object->inode;
}

/* Eight bytes at any address of the kernel. */
static __always_inline u64 read_word(u64 address)
{
	struct qstr *any = KERNEL(qstr, address);

	return READ(any, hash_len);
}

/* False: the name ends with none of the values. */
static __always_inline bool may_end_with_value(const volatile struct string_table *table, struct dentry *dentry)
{
	u32 hashed = table->hashed, length = READ(dentry, d_name.len);

	if (!hashed)
		return true;
	if (length < hashed)
		return false;
	return is_in_bitmap(table, read_word((u64)READ(dentry, d_name.name) + length - 8) >> (64 - 8 * hashed));
}

/* True if no candidate matches an empty name, which is not a path. */
static __always_inline bool is_empty_unmatched(u32 index, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];
	u64 left = candidates & ~(object->rooted | object->excluding);

	return !left || (!(left & ~object->postfix.table.positive) && object->postfix.hashed);
}

/* The kernel has one mount for all pipes, and never unmounts it. Its files have an empty name. */
static __always_inline bool is_unmatched_pipe(u32 index, struct vfsmount *mnt, u64 candidates)
{
	return negative_cache[0].mnt == (u64)mnt && is_empty_unmatched(index, candidates);
}

/*
 * True if the dentry, which is its own parent, has a name without a path that no candidate matches: a pipe, a socket, a
 * memfd, an anonymous inode. The kernel gives the name "/" to all other dentries that are their own parents, which are
 * the roots of file systems and what was opened by its inode. Nothing renames a dentry without a folder.
 */
static __always_inline bool is_unmatched_name(u32 index, struct dentry *dentry, struct vfsmount *mnt, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];
	u64 left = candidates & ~(object->rooted | object->excluding);
	u32 length;
	u8 first;

	if (left & ~object->postfix.table.positive)
		return false;
	length = READ(dentry, d_name.len);
	if (!length) {
		struct super_block *super = READ(mnt, mnt_sb);

		if (READ(super, s_magic) == MAGIC_PIPEFS)
			negative_cache[0].mnt = (u64)mnt;
		/* a namespace that is mounted has the path of its mount point */
		return READ(mnt, mnt_root) != dentry && is_empty_unmatched(index, candidates);
	}
	first = length > SHORT_NAME_MAX ? read_word((u64)READ(dentry, d_name.name)) : *(u8 *)inline_name(dentry);
	return first != '/' && !(left && may_end_with_value(&object->postfix, dentry));
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
 * False: no value of Postfix is at the end of a path with this name. A value with a slash is only at the end of paths
 * whose name is what the value has after its last slash.
 */
static __always_inline bool may_name_match(u32 index, struct dentry *dentry, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];

	return candidates & object->postfix.table.used && may_end_with_value(&object->names, dentry);
}

/* Returns enum cache_result; FOLDER_UNDECIDED: the path may have an entry of its own. `found` is the entry of a hit. */
static __always_inline u32 lookup_folder(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
					 struct dentry *parent, struct vfsmount *mnt, u64 candidates,
					 struct negative_entry **found)
{
	u64 key = negative_key(parent, index + FOLDER_KEY), marks;
	u32 number = entry_index(slot, key, candidates) & ~1U, result;
	struct negative_entry *entry = get_entry(number);

	if (!entry)
		return CACHE_BYPASS;
	if (entry->key == key) {
		if (may_name_match(index, dentry, candidates))
			return FOLDER_UNDECIDED;
		if (!is_hit(entry, task, dentry, parent, mnt, candidates, true))
			return drop_entry(entry, key);
		*found = entry;
		return CACHE_HIT;
	}
	marks = entry->last_miss ^ key;
	if (marks == HAS_VALUES)
		return FOLDER_UNDECIDED;
	if (marks == NAMES_DECIDE && may_name_match(index, dentry, candidates))
		return FOLDER_UNDECIDED;
	result = replace_entry(entry, number, key);
	if (result == CACHE_BYPASS)
		return CACHE_BYPASS;
	/* after the counts were read */
	if (may_name_match(index, dentry, candidates)) {
		entry->last_miss = key | NAMES_DECIDE;
		return FOLDER_UNDECIDED;
	}
	return result | WHOLE_FOLDER;
}

/* Returns enum cache_result. `found` is the entry of a hit. */
static __always_inline u32 lookup_path(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
				       struct dentry *parent, struct vfsmount *mnt, u64 candidates,
				       struct negative_entry **found)
{
	u64 key = negative_key(dentry, index);
	/* folders have the even entries, so that no file replaces the entry or the mark of its own folder */
	u32 number = entry_index(slot, key, candidates) | config.objects[index].folders;
	struct negative_entry *entry = get_entry(number);

	if (!entry)
		return CACHE_BYPASS;
	if (entry->key != key)
		return replace_entry(entry, number, key);
	if (!is_hit(entry, task, dentry, parent, mnt, candidates, false))
		return drop_entry(entry, key);
	*found = entry;
	return CACHE_HIT;
}

/* Returns enum cache_result. */
static __always_inline u32 lookup_negative(struct task_struct *task, u32 slot, u32 index, struct dentry *dentry,
					   struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(dentry, index);
	struct negative_entry *entry = 0;
	u32 result = FOLDER_UNDECIDED;
	struct fresh_path *fresh = 0;
	struct dentry *parent;

	if (is_unmatched_pipe(index, mnt, candidates))
		return CACHE_HIT;
	if (has_fresh_paths(index)) {
		fresh = get_fresh_path(slot, key, candidates);
		if (!fresh)
			return CACHE_BYPASS;
		if (fresh->key == key && is_fresh(fresh, task, mnt, candidates))
			return CACHE_HIT;
	}
	parent = READ(dentry, d_parent);
	if (parent == dentry) {
		if (is_unmatched_name(index, dentry, mnt, candidates))
			return CACHE_HIT;
		return lookup_path(task, slot, index, dentry, parent, mnt, candidates, &entry);
	}
	if (config.objects[index].folders)
		result = lookup_folder(task, slot, index, dentry, parent, mnt, candidates, &entry);
	if (result == FOLDER_UNDECIDED)
		result = lookup_path(task, slot, index, dentry, parent, mnt, candidates, &entry);
	if (!fresh)
		return result;
	/* only the second of two look-ups stores the path, because most files are accessed once */
	if (fresh->last_miss != (u32)key) {
		fresh->last_miss = key;
		return result;
	}
	fresh->key = 0;
	if (result == CACHE_HIT) {
		fresh->rename_seq = entry->rename_seq;
		fresh->mount_seq = entry->mount_seq;
		store_fresh_path(fresh, key, candidates, mnt, entry->root_dentry, entry->root_mnt);
		return result;
	}
	fresh->rename_seq = read_sequence(config.rename_lock);
	fresh->mount_seq = read_sequence(config.mount_lock);
	barrier();
	return result | FRESH_PATH;
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
 * True if the path, or that of another file in its folder, may be a value of Equal, or begin with a value of Prefix
 * that the folder does not begin with. A path of another file is not too long for the buffer.
 */
static __always_inline bool has_folder_values(struct string_buffer *buffer, u32 index, u32 name)
{
	u32 start = buffer->walk.start, length = STRING_END - start - name;
	const struct match_entry *entry;
	struct trie_key *key;

	if (start < STRING_HEADROOM || start > STRING_END || length > FILTER_STRING_MAX)
		return true;
	key = (void *)&buffer->bytes[start - 5];
	key->slot = config.objects[index].slot | FOLDER_SLOT;
	key->prefix_bits = 8 + 8 * length;
	entry = bpf_map_lookup_elem(&string_prefix, key);
	return entry && entry->match == length;
}

/* Stores the path that was resolved as a fresh path. A count is odd while a writer holds its lock. */
static __always_inline void insert_fresh_path(struct string_buffer *buffer, u32 index, struct dentry *dentry,
					      struct vfsmount *mnt, u64 candidates)
{
	u64 key = negative_key(dentry, index);
	struct fresh_path *path = get_fresh_path(buffer->map_index, key, candidates);

	if (!path || READ(mnt, mnt_sb) != READ(dentry, d_sb) || !is_cacheable_walk(buffer))
		return;
	if ((path->rename_seq | path->mount_seq) & 1 || !are_unchanged(path->rename_seq, path->mount_seq))
		return;
	store_fresh_path(path, key, candidates, mnt, buffer->walk.root_dentry, buffer->walk.root_mnt);
}

/*
 * Stores that no candidate matches this path. The kernel does not start a program on a CPU where it is interrupted, so
 * no other program accesses the entry meanwhile. Nevertheless, the key is written last.
 */
static __noinline int insert_negative(struct string_buffer *buffer, u32 index, struct dentry *dentry,
				      struct vfsmount *mnt, u64 candidates)
{
	bool whole = buffer->cache_result & WHOLE_FOLDER;
	struct negative_entry *entry;
	struct super_block *super;
	struct dentry *parent;
	struct inode *folder;
	u64 *words, key, changed = 0;
	u32 device = 0;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	dentry = KERNEL(dentry, dentry);
	mnt = KERNEL(vfsmount, mnt);
	if (buffer->cache_result & FRESH_PATH)
		insert_fresh_path(buffer, index, dentry, mnt, candidates);
	entry = get_entry((buffer->cache_result & ENTRY_NUMBER) - 1);
	if (!entry)
		return 0;
	super = READ(dentry, d_sb);
	entry->hash_len = READ(dentry, d_name.hash_len);
	parent = READ(dentry, d_parent);
	folder = READ(parent, d_inode);
	if (READ(mnt, mnt_sb) != super || !is_cacheable_walk(buffer))
		return 0;
	key = negative_key(dentry, index);
	if (config.objects[index].folders && whole) {
		struct dentry *top = READ(mnt, mnt_root);

		key = negative_key(parent, index + FOLDER_KEY);
		/* the path of a file that is the root of the mount is the mount point, and not in this folder */
		if (READ(top, d_parent) == parent || has_folder_values(buffer, index, name_length(entry->hash_len))) {
			entry->last_miss = key | HAS_VALUES;
			return 0;
		}
	} else if (name_length(entry->hash_len) > SHORT_NAME_MAX) {
		return 0;
	}
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
	/* a count is odd while a writer holds its lock */
	if ((entry->rename_seq | entry->mount_seq) & 1 || !are_unchanged(entry->rename_seq, entry->mount_seq))
		return 0;
	barrier();
	entry->key = key;
	return 0;
}
#endif

#endif
