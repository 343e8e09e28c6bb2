/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads strings and paths, filters them, and adds them to the record. */
#ifndef POLYTRACE_STRINGS_BPF_H
#define POLYTRACE_STRINGS_BPF_H

#include "filters.bpf.h"
#include "record.bpf.h"
#include "string_tables.bpf.h"
#include "negative_cache.bpf.h"

struct equal_key {
	u8 slot;
	u8 string[STRING_BYTES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, like the size of the key */
	__type(key, struct equal_key);
	__type(value, struct match_entry);
} string_equal SEC(".maps");

/* Inodes of the files that the policy names, and inodes that the hook has found at these paths later. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct inode_key);
	__type(value, struct match_entry);
} inodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, u32);
	__type(value, struct automaton_state);
} automaton SEC(".maps");

/* ---- filters ------------------------------------------------------------------------------------------------ */

enum { SCAN_STEPS = 64, SCAN_ROUNDS = 65 };

/* One round of the search for substrings. Returns 1 if the search has not ended. */
__noinline int scan_substrings(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	const struct automaton_state *state;
	u32 at, number;
	bool ignore_case;

	if (!buffer)
		return 0;
	at = buffer->scan.at;
	number = buffer->scan.state;
	ignore_case = buffer->scan.ignore_case;
	state = bpf_map_lookup_elem(&automaton, &number);
	for (u32 i = 0; i < SCAN_STEPS; i++) {
		u8 byte;

		if (!state)
			return 0;
		buffer->scan.hits |= state->match;
		opaque(at);
		if (at >= STRING_END)
			return 0;
		byte = buffer->bytes[at];
		at++;
		if (ignore_case && byte >= 'A' && byte <= 'Z')
			byte += 'a' - 'A';
		number = state->next[byte];
		state = bpf_map_lookup_elem(&automaton, &number);
	}
	buffer->scan.at = at;
	buffer->scan.state = number;
	return 1;
}

/* All rounds. The verifier checks the rounds of this function once, and not for each path that leads to a search. */
__noinline int search_substrings(BUFFER_PARAM)
{
	struct string_buffer *buffer = BUFFER_ARG;
	u32 more = 1;

	if (!buffer)
		return 0;
	for (u32 round = 0; round < SCAN_ROUNDS && more; round++)
		more = scan_substrings(PASS_BUFFER(buffer));
	return 0;
}

static __always_inline u64 filter_substrings(struct string_buffer *buffer, u32 start,
					     const volatile struct object_config *object, u64 candidates)
{
	u32 count = object->passes_count;

	for (u32 i = 0; i < SUBSTRING_PASSES_MAX && i < count && candidates; i++) {
		buffer->scan.hits = 0;
		buffer->scan.at = start;
		buffer->scan.state = object->passes[i].start;
		buffer->scan.ignore_case = object->passes[i].ignore_case;
		search_substrings(PASS_BUFFER(buffer));
		candidates &= buffer->scan.hits | ~object->passes[i].positive;
	}
	return candidates;
}

static __always_inline struct inode *read_inode(struct dentry *dentry)
{
	struct inode *inode;

	dentry = KERNEL(dentry, dentry);
	inode = READ(dentry, d_inode);
	return KERNEL(inode, inode);
}

/* Reads eight bytes at once. With an element of `bytes` as the address, the compiler would read single bytes. */
static __always_inline u64 load_word(const struct string_buffer *buffer, u32 at)
{
	return *(u64 *)((void *)buffer->bytes + at);
}

/* False: the string begins with no value of the table. A string shorter than the hashed bytes cannot match anyway. */
static __always_inline bool may_match_start(const volatile struct string_table *table,
					    const struct string_buffer *buffer, u32 start)
{
	return !table->hashed || is_in_bitmap(table, load_word(buffer, start) << (64 - 8 * table->hashed));
}

/* False: the string ends with no value of the table. */
static __always_inline bool may_match_end(const volatile struct string_table *table, const struct string_buffer *buffer)
{
	return !table->hashed || is_in_bitmap(table, load_word(buffer, STRING_END - 8) >> (64 - 8 * table->hashed));
}

#ifdef POLICY_GROUP
#include "group_strings.bpf.h"
#else
/* A file without a path, a null pointer, a descriptor that is not open. */
static __always_inline u64 filter_missing(struct string_buffer *buffer __attribute__((unused)), u32 index,
					  u64 candidates, bool is_missing)
{
	const volatile struct object_config *object = &config.objects[index];

	return object->excluding && is_missing ? candidates & ~object->excluding : candidates;
}

/* An unknown path matches, except for selectors that only suppress events. */
static __always_inline u64 filter_unknown_path(struct string_buffer *buffer __attribute__((unused)),
					       u32 index __attribute__((unused)), u64 candidates)
{
	return candidates & ~config.suppresses;
}

/* A file matches if its path matches or, for selectors in object->inode, if its inode matches. */
static __always_inline u64 filter_inode(u64 candidates, const volatile struct object_config *object,
					const struct match_entry *by_path, struct dentry *dentry)
{
	struct inode *inode = read_inode(dentry);
	struct inode_key key = { .slot = object->slot };
	u64 match = 0, reject = 0, concerned = object->inode;
	struct super_block *sb;
	struct match_entry *by_inode;

	if (!inode)
		return apply_entry(candidates, &object->equal.table, by_path);
	sb = READ(inode, i_sb);
	key.inode = READ(inode, i_ino);
	key.device = READ(sb, s_dev);
	by_inode = bpf_map_lookup_elem(&inodes, &key);
	if (by_path) {
		match = by_path->match;
		reject = by_path->reject;
	}
	if (by_inode) {
		match |= by_inode->match;
		reject |= by_inode->reject;
	} else if (by_path) {
		struct match_entry learned = { .match = match & concerned, .reject = reject & concerned };

		/* a new file at this path: from now on, its other names match, too */
		bpf_map_update_elem(&inodes, &key, &learned, BPF_NOEXIST);
	}
	return candidates & (match | ~object->equal.table.positive) & ~reject;
}

/* The prefixes of a long path. An unknown beginning matches, except for selectors that only suppress events. */
static __noinline u64 filter_head(struct string_buffer *buffer, u32 index, u64 candidates)
{
	const volatile struct object_config *object;
	struct trie_key *key;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	object = &config.objects[index];
	key = head_key(buffer, object->slot, object->prefix.longest);
	if (!key)
		return candidates & ~(config.suppresses & object->prefix.table.used);
	return apply_entry(candidates, &object->prefix.table, bpf_map_lookup_elem(&string_prefix, key));
}

static __always_inline const struct match_entry *match_prefix(struct string_buffer *buffer, u32 start,
							      const volatile struct object_config *object, u32 length)
{
	struct trie_key *key = (void *)&buffer->bytes[start - 5];
	u32 count = object->prefix.longest;

	if (count > length)
		count = length;
	key->slot = object->slot;
	key->prefix_bits = 8 + 8 * count;
	return bpf_map_lookup_elem(&string_prefix, key);
}

static __always_inline const struct match_entry *match_postfix(struct string_buffer *buffer,
							       const volatile struct object_config *object, u32 length)
{
	struct trie_key *key = &buffer->reversed;
	u32 count = object->postfix.longest;

	/* reverses eight bytes at a time; bytes before the start of the string are beyond the length of the key */
	for (u32 i = 0; i < FILTER_STRING_MAX && i < count; i += 8)
		*(u64 *)((void *)key->string + i) = __builtin_bswap64(load_word(buffer, STRING_END - 8 - i));
	if (count > length)
		count = length;
	key->slot = object->slot;
	key->prefix_bits = 8 + 8 * count;
	return bpf_map_lookup_elem(&string_postfix, key);
}

/*
 * Compares bytes[start .. STRING_END) with the tables of one value. `dentry` is null unless the string is a path.
 * `cut_start` and `cut_end`: this part of the string is missing. `cut_unknown`: a value that may be in the missing end
 * matches, except for selectors that only suppress events.
 */
static __always_inline u64 filter_string(struct string_buffer *buffer, u32 start, u32 index, u64 candidates,
					 struct dentry *dentry, bool cut_start, bool cut_end, bool cut_unknown)
{
	const volatile struct object_config *object = &config.objects[index];
	u32 length = STRING_END - start;

	if (start < STRING_HEADROOM || start > STRING_END)
		return 0;
	if (object->equal.table.used && candidates & object->equal.table.used) {
		const struct match_entry *entry = 0;

		if (length <= object->equal.longest && !cut_start && !cut_end &&
		    may_match_end(&object->equal, buffer)) {
			buffer->bytes[start - 1] = object->slot;
			entry = bpf_map_lookup_elem(&string_equal, &buffer->bytes[start - 1]);
		}
		if (object->inode && dentry)
			candidates = filter_inode(candidates, object, entry, dentry);
		else
			candidates = apply_entry(candidates, &object->equal.table, entry);
	}
	if (object->prefix.table.used && candidates & object->prefix.table.used && cut_start) {
		candidates = filter_head(buffer, index, candidates);
	} else if (object->prefix.table.used && candidates & object->prefix.table.used) {
		const struct match_entry *entry = 0;

		if (may_match_start(&object->prefix, buffer, start))
			entry = match_prefix(buffer, start, object, length);
		candidates = apply_entry(candidates, &object->prefix.table, entry);
	}
	if (object->postfix.table.used && candidates & object->postfix.table.used) {
		const struct match_entry *entry = 0;

		if (!cut_end && may_match_end(&object->postfix, buffer))
			entry = match_postfix(buffer, object, length);
		if (cut_end && cut_unknown)
			candidates &= ~(config.suppresses & object->postfix.table.used);
		else
			candidates = apply_entry(candidates, &object->postfix.table, entry);
	}
	if (object->passes_count && candidates) {
		u64 before = candidates;

		candidates = filter_substrings(buffer, start, object, candidates);
		/* the substring may be in the missing part */
		if (cut_start || (cut_end && cut_unknown))
			candidates |= before & ~config.suppresses;
	}
	return candidates;
}
#endif

/* ---- paths -------------------------------------------------------------------------------------------------- */

struct location {
	struct dentry *dentry;
	struct vfsmount *mnt;
	bool mount_unknown;
};

static __always_inline struct file *find_file(u64 raw, u32 read)
{
	if (read == READ_FD)
		return lookup_fd(raw);
	if (!raw)
		return 0;
	if (read == READ_BINPRM) {
		struct linux_binprm *bprm = KERNEL(linux_binprm, raw);

		return READ(bprm, file);
	}
	if (read == READ_KIOCB) {
		struct kiocb *kiocb = KERNEL(kiocb, raw);

		return READ(kiocb, ki_filp);
	}
	return (void *)raw;
}

/* A dentry does not determine its mount. If the file system is the same, the mount of the process's root is assumed. */
static __always_inline bool locate_dentry(u64 raw, struct location *at)
{
	struct task_struct *task = current_task();
	struct fs_struct *fs = READ(task, fs);
	struct dentry *dentry = KERNEL(dentry, raw);
	struct vfsmount *root;

	if (!raw)
		return false;
	at->dentry = dentry;
	at->mnt = 0;
	if (fs) {
		root = READ(fs, root.mnt);
		if (READ(root, mnt_sb) == READ(dentry, d_sb))
			at->mnt = root;
	}
	at->mount_unknown = !at->mnt;
	return true;
}

static __always_inline bool locate_value(u64 raw, u32 read, struct location *at)
{
	struct file *file;

	if (read == READ_DENTRY)
		return locate_dentry(raw, at);
	if (read == READ_PATH) {
		struct path *path = KERNEL(path, raw);

		if (!raw)
			return false;
		at->dentry = READ(path, dentry);
		at->mnt = READ(path, mnt);
		return at->dentry && at->mnt;
	}
	file = find_file(raw, read);
	if (!file)
		return false;
	file = KERNEL(file, file);
	at->dentry = READ(file, f_path.dentry);
	at->mnt = READ(file, f_path.mnt);
	if (!at->dentry)
		return false;
	return at->mnt;
}

enum { FILE_TYPE_BITS = 0170000 };

/* A negative dentry has no inode: reads through the null pointer give 0. */
static __always_inline void describe_inode(struct value *value, struct dentry *dentry)
{
	struct inode *inode = read_inode(dentry);
	struct super_block *sb;

	value->value = READ(inode, i_ino);
	value->mode = READ(inode, i_mode);
	value->links = READ(inode, i_nlink);
	sb = READ(inode, i_sb);
	value->magic = READ(sb, s_magic);
	value->device = READ(sb, s_dev);
}

static __always_inline u64 filter_file_type(u64 candidates, u32 slot, struct dentry *dentry)
{
	struct inode *inode = dentry ? read_inode(dentry) : 0;

	return filter_number(candidates, slot, inode ? READ(inode, i_mode) & FILE_TYPE_BITS : 0);
}

#ifdef HAS_NEGATIVE_CACHE
/*
 * Most hooks have one path. If it is cacheable and known at the entry, it is looked up before collect_path() is called.
 */
static __always_inline bool has_early_lookup(u32 index)
{
	u32 slot = config.objects[0].slot;
	const volatile struct value_config *value = &config.values[slot];

	return index == 0 && is_cacheable_value(0) && config.objects_count && slot < HOOK_VALUES_MAX &&
	       value->read >= READ_FILE && value->read < READ_SOCK && !value->groups_count && !value->read_at_return;
}

/*
 * A path that was looked up early, and the result, for collect_path(). They are in memory, because the comparison needs
 * all registers.
 */
struct early_path {
	volatile u64 dentry, mnt;
	volatile u32 result;
};

/* As locate_value(), for the first object. Reads through a null pointer give 0, so most values need no branches. */
static __always_inline void locate_first(u64 raw, struct location *at)
{
	u32 read = config.values[config.objects[0].slot].read;

	if (read == READ_DENTRY) {
		if (locate_dentry(raw, at))
			return;
		at->dentry = 0;
		at->mnt = 0;
	} else if (read == READ_PATH) {
		struct path *path = KERNEL(path, raw);

		at->dentry = READ(path, dentry);
		at->mnt = READ(path, mnt);
	} else {
		struct file *file = KERNEL(file, read == READ_FILE ? (void *)raw : find_file(raw, read));

		at->dentry = READ(file, f_path.dentry);
		at->mnt = READ(file, f_path.mnt);
	}
}

/* As lookup_negative(), for the first object. `index` is the result of scratch_slot(). Returns true for a hit. */
static __always_inline bool is_first_negative(struct task_struct *task, u32 index, const struct location *at,
					      u64 candidates, struct early_path *first)
{
	u32 result;

	first->dentry = (u64)at->dentry;
	first->mnt = (u64)at->mnt;
	first->result = CACHE_BYPASS;
	if (!at->mnt)
		return false;
	result = lookup_negative(task, index, 0, at->dentry, at->mnt, candidates);
	if (likely(result == CACHE_HIT))
		return true;
	first->result = result;
	return false;
}
#endif

/* Resolves a path and filters it. Adds it to the record if a candidate is left. */
static __noinline u64 collect_path(struct string_buffer *buffer, struct hook_record *record, u32 index, u64 raw,
				   u64 candidates)
{
	const volatile struct object_config *object;
	u32 start = STRING_END, length, flags = STRING_FAULT, slot, read;
	struct location at = {};
	struct value *value;
	u8 *to;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	object = &config.objects[index];
	slot = object->slot;
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	read = config.values[slot].read;
#ifdef HAS_NEGATIVE_CACHE
	if (is_cacheable_value(index) && !has_early_lookup(index))
		buffer->cache_result = CACHE_BYPASS;
	if (has_early_lookup(index)) {
		at.dentry = KERNEL(dentry, buffer->walk.dentry);
		at.mnt = KERNEL(vfsmount, buffer->walk.mnt);
		at.mount_unknown = read == READ_DENTRY && !at.mnt;
		if (!at.mnt && !at.mount_unknown)
			at.dentry = 0;
	} else
#endif
		if (!locate_value(raw, read, &at))
		at.dentry = 0;
	if (config.values[slot].groups_count) {
		candidates = filter_file_type(candidates, slot, at.dentry);
		if (!candidates)
			return 0;
	}
	if (at.dentry) {
#ifdef HAS_NEGATIVE_CACHE
		if (is_cacheable_value(index) && !has_early_lookup(index)) {
			if (at.mnt)
				buffer->cache_result = lookup_negative(current_task(), buffer->map_index, index,
								       at.dentry, at.mnt, candidates);
			if (buffer->cache_result == CACHE_HIT)
				return 0;
		}
#endif
		start = resolve_path(buffer, at.dentry, at.mnt);
		flags = buffer->walk.flags;
		if (at.mount_unknown && !(flags & STRING_PSEUDO))
			flags |= STRING_UNREACHABLE;
	}
	if (object->filtered) {
		const u64 before __attribute__((unused)) = candidates;

		candidates = filter_missing(buffer, index, candidates, flags & (STRING_PSEUDO | STRING_FAULT));
		if (flags & STRING_UNKNOWN)
			candidates = filter_unknown_path(buffer, index, candidates);
		else
			candidates = filter_string(buffer, start, index, candidates, at.dentry,
						   flags & STRING_TRUNCATED, false, false);
#ifdef HAS_NEGATIVE_CACHE
		if (!candidates && is_cacheable_value(index) && buffer->cache_result)
			insert_negative(buffer, index, at.dentry, at.mnt, before);
#endif
		if (!candidates)
			return 0;
	}
	value = value_slot(record, slot);
	if (at.dentry)
		describe_inode(value, at.dentry);
	else
		clear_value(value);
	value->fd = read == READ_FD ? (s32)raw : -1;
	value->size = 0;
	length = at_most(STRING_END - start, PATH_BYTES_MAX + 1);
	start = at_most(start, STRING_END);
	to = reserve_bytes(record, STRING_CAPACITY);
	bpf_probe_read_kernel(to, length, &buffer->bytes[start]);
	commit_bytes(record, value, length, flags);
	return candidates;
}

/* ---- strings and buffers ------------------------------------------------------------------------------------ */

static __always_inline bool is_user_memory(const void *address, u32 memory)
{
	return memory == MEMORY_USER || (memory == MEMORY_BY_ADDRESS && (s64)address >= 0);
}

static __always_inline long read_memory(void *to, u32 size, const void *from, bool user)
{
	return user ? bpf_probe_read_user(to, size, from) : bpf_probe_read_kernel(to, size, from);
}

/* Returns the length. Sets a flag if the string was truncated or could not be read. */
static __always_inline u32 read_string(u8 *to, const void *from, bool user, u32 *flags)
{
	u32 length = 0;
	u8 next = 0;
	long got;

	if (user)
		got = bpf_probe_read_user_str(to, STRING_BYTES_MAX + 1, from);
	else
		got = bpf_probe_read_kernel_str(to, STRING_BYTES_MAX + 1, from);
	if (got < 0)
		*flags |= STRING_FAULT;
	else if (got > 0)
		length = at_most(got - 1, STRING_BYTES_MAX);
	/* the string is truncated unless it ends exactly here */
	if (length == STRING_BYTES_MAX && !read_memory(&next, 1, from + STRING_BYTES_MAX, user) && next)
		*flags |= STRING_TRUNCATED;
	return length;
}

static __always_inline u64 filter_family(u64 candidates, u32 slot, const void *from, bool user)
{
	u16 family = 0;

	read_memory(&family, sizeof(family), from, user);
	return filter_number(candidates, slot, family);
}

/*
 * The path of a Unix socket. An abstract name begins with "@". The kernel ends a path at its NUL or after the `size`
 * bytes of the address. An abstract name has all bytes. Without a known size (0xffffffff and more), it ends at its NUL,
 * too.
 */
static __always_inline u32 read_sockaddr_un(u8 *to, const void *from, u64 size, bool user, u32 *flags)
{
	enum { AF_UNIX = 1, PATH_OFFSET = 2, PATH_SIZE = 108, ADDRESS_SIZE = PATH_OFFSET + PATH_SIZE };
	u32 room = size < ADDRESS_SIZE ? size : ADDRESS_SIZE;
	u16 family = 0;
	u8 first = 0;
	u32 abstract;
	long got;

	if (read_memory(&family, sizeof(family), from, user) || family != AF_UNIX) {
		*flags |= STRING_FAULT;
		return 0;
	}
	if (room <= PATH_OFFSET)
		return 0;
	room = at_most(room - PATH_OFFSET, PATH_SIZE);
	from += PATH_OFFSET;
	read_memory(&first, 1, from, user);
	abstract = !first;
	to[0] = '@';
	if (abstract && size < 0xffffffff) {
		if (!read_memory(to, room, from, user)) {
			to[0] = '@';
			return room;
		}
		*flags |= STRING_FAULT;
		return 0;
	}
	if (user)
		got = bpf_probe_read_user_str(to + abstract, room + 1 - abstract, from + abstract);
	else
		got = bpf_probe_read_kernel_str(to + abstract, room + 1 - abstract, from + abstract);
	if (got <= 1)
		return 0;
	return at_most(got - 1 + abstract, PATH_SIZE);
}

/*
 * The address of an algorithm (AF_ALG): its type, a slash, and its name, "hash/sha256". The kernel ends the type and
 * the name itself: it writes a NUL over the last byte of the type, and over the last of the `size` bytes of the
 * address.
 */
static __always_inline u32 read_sockaddr_alg(u8 *to, const void *from, u64 size, bool user, u64 *numbers, u32 *flags)
{
	enum { AF_ALG = 38, TYPE_OFFSET = 2, TYPE_SIZE = 14, NUMBERS_OFFSET = 16, NAME_OFFSET = 24, SIZE_MAX = 128 };
	/* the size is an int: the upper half of its register can have any value */
	u32 name_size = (u32)size < SIZE_MAX ? (u32)size : SIZE_MAX, length;
	u16 family = 0;
	long got;

	if (read_memory(&family, sizeof(family), from, user) || family != AF_ALG ||
	    read_memory(numbers, sizeof(*numbers), from + NUMBERS_OFFSET, user)) {
		*flags |= STRING_FAULT;
		return 0;
	}
	if (user)
		got = bpf_probe_read_user_str(to, TYPE_SIZE, from + TYPE_OFFSET);
	else
		got = bpf_probe_read_kernel_str(to, TYPE_SIZE, from + TYPE_OFFSET);
	length = got > 0 ? at_most(got - 1, TYPE_SIZE - 1) : 0;
	to[length++] = '/';
	name_size = name_size > NAME_OFFSET ? at_most(name_size - NAME_OFFSET, SIZE_MAX - NAME_OFFSET) : 0;
	if (user)
		got = bpf_probe_read_user_str(to + length, name_size, from + NAME_OFFSET);
	else
		got = bpf_probe_read_kernel_str(to + length, name_size, from + NAME_OFFSET);
	if (got > 0)
		length += at_most(got - 1, SIZE_MAX - NAME_OFFSET);
	return length;
}

static __always_inline u32 read_buffer(u8 *to, const void *from, u64 size, u32 limit, bool user, u32 *flags)
{
	u32 length = size > limit ? limit : size;

	if (size > limit)
		*flags |= STRING_TRUNCATED;
	opaque(length);
	if (length > limit)
		length = limit;
	if (read_memory(to, length, from, user)) {
		*flags |= STRING_FAULT;
		return 0;
	}
	return length;
}

/*
 * Reads the buffers of an array of struct iovec. The capacity is twice the limit, so that a piece that starts at the
 * limit still fits. `limit` is a power of two less 1, so that a mask bounds a size without a branch.
 */
static __always_inline u32 read_iovecs(u8 *to, const struct iovec *pieces, u64 count, u64 skip, u32 limit, bool user,
				       bool user_list, u64 *size, u32 *flags)
{
	u64 all = 0;
	u32 total = 0;

	skip += unknown_zero(count);
	for (u32 i = 0; i < IOVECS_MAX && i < count; i++) {
		struct {
			u64 base, length;
		} piece = {};
		u64 skipped;
		u32 length;

		if (read_memory(&piece, sizeof(piece), &pieces[i], user_list)) {
			*flags |= STRING_FAULT;
			break;
		}
		skipped = skip < piece.length ? skip : piece.length;
		skip -= skipped;
		all += piece.length - skipped;
		length = piece.length - skipped > limit - total ? limit - total : piece.length - skipped;
		opaque(length);
		length &= limit;
		opaque(total);
		total &= limit;
		if (read_memory(to + total, length, (void *)piece.base + skipped, user)) {
			*flags |= STRING_FAULT;
			break;
		}
		total += length;
	}
	opaque(total);
	total &= limit;
	*size = all;
	if (all > total || count > IOVECS_MAX)
		*flags |= STRING_TRUNCATED;
	return total;
}

static __always_inline u32 read_iov_iter(u8 *to, u64 raw, u32 limit, u64 *size, u32 *flags)
{
	struct iov_iter *iter = KERNEL(iov_iter, raw);
	const struct iovec *pieces;
	u32 type, length;

	if (!raw) {
		*flags |= STRING_FAULT;
		return 0;
	}
	type = READ(iter, iter_type);
	*size = READ(iter, count);
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF))
		return read_buffer(to, READ(iter, ubuf) + READ(iter, iov_offset), *size, limit, true, flags);
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC) &&
	    type != bpf_core_enum_value(enum iter_type, ITER_KVEC)) {
		/* pages or pipes, which have no address */
		*flags |= STRING_FAULT;
		return 0;
	}
	if (bpf_core_field_exists(iter->__iov))
		pieces = READ(iter, __iov);
	else
		pieces = READ(iter, iov);
	length = read_iovecs(to, pieces, READ(iter, nr_segs), READ(iter, iov_offset), limit,
			     type == bpf_core_enum_value(enum iter_type, ITER_IOVEC), false, size, flags);
	if (*size > length)
		*flags |= STRING_TRUNCATED;
	return length;
}

static __always_inline const void *string_address(u64 raw, u32 read)
{
	if (read == READ_FILENAME) {
		struct filename *name = KERNEL(filename, raw);

		return raw ? READ(name, name) : 0;
	}
	if (read == READ_NET_DEVICE)
		return raw ? (void *)raw + bpf_core_field_offset(struct net_device, name) : 0;
	return (void *)raw;
}

/* Reads a string or buffer into the record and filters it. The record keeps it if a candidate is left. */
static __noinline u64 collect_string(struct string_buffer *buffer, struct hook_record *record, u32 index, u64 raw,
				     u64 candidates)
{
	const volatile struct object_config *object;
	u64 size = record->size, numbers = 0;
	u32 length, flags = unknown_zero(size), slot, read, capacity, limit;
	struct value *value;
	bool user;
	u8 *to;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	object = &config.objects[index];
	slot = object->slot;
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	read = config.values[slot].read;
	capacity = config.values[slot].capacity;
	user = is_user_memory((void *)raw, config.values[slot].memory);
	if ((read == READ_SOCKADDR_UN || read == READ_SOCKADDR_ALG) && config.values[slot].groups_count) {
		candidates = filter_family(candidates, slot, (void *)raw, user);
		if (!candidates)
			return 0;
	}
	to = reserve_bytes(record, capacity);
	limit = capacity - 1;
	if (read == READ_BUFFER) {
		length = read_buffer(to, (void *)raw, size, limit, user, &flags);
	} else if (read == READ_IOVEC) {
		length = read_iovecs(to, (void *)raw, size, 0, capacity / 2 - 1, user, user, &size, &flags);
	} else if (read == READ_IOV_ITER) {
		length = read_iov_iter(to, raw, capacity / 2 - 1, &size, &flags);
	} else {
		const void *from = string_address(raw, read);

		if (read == READ_SOCKADDR_UN)
			length = read_sockaddr_un(to, from, size, user, &flags);
		else if (read == READ_SOCKADDR_ALG)
			length = read_sockaddr_alg(to, from, size, user, &numbers, &flags);
		else
			length = read_string(to, from, user, &flags);
		size = length;
	}
	if (object->filtered) {
		u32 compared = at_most(length, STRING_BYTES_MAX);
		u32 start = at_most(STRING_END - compared, STRING_END);
		const bool is_text = read != READ_BUFFER && read != READ_IOVEC && read != READ_IOV_ITER;

		candidates = filter_missing(buffer, index, candidates, !raw && is_text);
		bpf_probe_read_kernel(&buffer->bytes[start], compared, to);
		/* nothing is known about a string that cannot be read: it is not the empty string */
		candidates = filter_string(buffer, start, index, candidates, 0, false,
					   flags & (STRING_TRUNCATED | STRING_FAULT) || length > STRING_BYTES_MAX,
					   is_text && !(flags & STRING_FAULT));
		if (!candidates)
			return 0;
	}
	value = value_slot(record, slot);
	clear_value(value);
	value->value = numbers;
	value->size = size > 0xffffffff ? 0xffffffff : size;
	commit_bytes(record, value, length, flags);
	return candidates;
}

#endif
