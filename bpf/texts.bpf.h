/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads texts and paths, filters them, and adds them to the record. */
#ifndef POLYTRACE_TEXTS_BPF_H
#define POLYTRACE_TEXTS_BPF_H

#include "filters.bpf.h"
#include "record.bpf.h"
#include "verdicts.bpf.h"

struct equal_key {
	u8 slot;
	u8 text[STRING_BYTES_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load, as the size of the key */
	__type(key, struct equal_key);
	__type(value, struct verdict);
} text_equal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct trie_key);
	__type(value, struct verdict);
} text_prefix SEC(".maps"), text_postfix SEC(".maps");

/* Inodes of the files that the policy names, and inodes that were seen at these paths later. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct inode_key);
	__type(value, struct verdict);
} inodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load */
	__type(key, u32);
	__type(value, struct automaton_state);
} automaton SEC(".maps");

/* ---- filters ------------------------------------------------------------------------------------------------ */

enum { SCAN_STEPS = 64, SCAN_ROUNDS = 65 };

/* One round of a search for substrings. Returns 1 when there is more to do. */
__noinline int scan_text(TEXT_PARAM)
{
	struct text_buffer *buffer = TEXT_GIVEN;
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
		if (at >= TEXT_END)
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

static __always_inline u64 filter_substrings(struct text_buffer *text, u32 start, const volatile struct object_config *of,
					     u64 candidates)
{
	u32 count = of->passes_count;

	for (u32 i = 0; i < SUBSTRING_PASSES_MAX && i < count && candidates; i++) {
		u32 more = 1;

		text->scan.hits = 0;
		text->scan.at = start;
		text->scan.state = of->passes[i].start;
		text->scan.ignore_case = of->passes[i].ignore_case;
		for (u32 round = 0; round < SCAN_ROUNDS && more; round++)
			more = scan_text(PASS_TEXT(text));
		candidates &= text->scan.hits | ~of->passes[i].positive;
	}
	return candidates;
}

static __always_inline struct inode *inode_of(struct dentry *dentry)
{
	struct inode *inode;

	dentry = KERNEL(dentry, dentry);
	inode = READ(dentry, d_inode);
	return KERNEL(inode, inode);
}

static __always_inline bool is_in_bitmap(const volatile struct text_table *of, u64 bytes)
{
	u32 hash = (u32)(bytes ^ bytes >> 32) * TEXT_HASH_FACTOR >> (32 - TEXT_HASH_BITS);

	return of->bitmap[hash / 64] >> (hash % 64) & 1;
}

/* A text is read as words: with an element of `bytes` as the address, the compiler would read single bytes. */
static __always_inline u64 word_at(const struct text_buffer *text, u32 at)
{
	return *(u64 *)((void *)text->bytes + at);
}

/* False: no value of the table is the beginning of the text. A text that is shorter than the hashed bytes has no value anyway. */
static __always_inline bool may_begin(const volatile struct text_table *of, const struct text_buffer *text, u32 start)
{
	return !of->hashed || is_in_bitmap(of, word_at(text, start) << (64 - 8 * of->hashed));
}

/* The same for the end of the text. */
static __always_inline bool may_end(const volatile struct text_table *of, const struct text_buffer *text)
{
	return !of->hashed || is_in_bitmap(of, word_at(text, TEXT_END - 8) >> (64 - 8 * of->hashed));
}

/* A file matches if its path does or, for selectors in of->inode, if its inode does. */
static __always_inline u64 filter_inode(u64 candidates, const volatile struct object_config *of,
					const struct verdict *by_path, struct dentry *dentry)
{
	struct inode *inode = inode_of(dentry);
	struct inode_key key = { .slot = of->slot };
	u64 match = 0, reject = 0, concerned = of->inode;
	struct super_block *sb;
	struct verdict *by_inode;

	if (!inode)
		return apply(candidates, &of->equal.table, by_path);
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
		struct verdict learned = { .match = match & concerned, .reject = reject & concerned };

		/* a new file at this path: its other names match from now on */
		bpf_map_update_elem(&inodes, &key, &learned, BPF_NOEXIST);
	}
	return candidates & (match | ~of->equal.table.positive) & ~reject;
}

/* The prefixes of a long path. What is not known matches, except for selectors that only suppress events. */
static __noinline u64 filter_beginning(struct text_buffer *text, u32 index, u64 candidates)
{
	const volatile struct object_config *of;
	struct trie_key *key;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	of = &config.objects[index];
	key = key_of_beginning(text, of->slot, of->prefix.longest);
	if (!key)
		return candidates & ~(config.suppresses & of->prefix.table.used);
	return apply(candidates, &of->prefix.table, bpf_map_lookup_elem(&text_prefix, key));
}

static __always_inline const struct verdict *find_prefix(struct text_buffer *text, u32 start, const volatile struct object_config *of,
							 u32 length)
{
	struct trie_key *key = (void *)&text->bytes[start - 5];
	u32 count = of->prefix.longest;

	if (count > length)
		count = length;
	key->slot = of->slot;
	key->prefix_bits = 8 + 8 * count;
	return bpf_map_lookup_elem(&text_prefix, key);
}

static __always_inline const struct verdict *find_postfix(struct text_buffer *text, const volatile struct object_config *of,
							  u32 length)
{
	struct trie_key *key = &text->reversed;
	u32 count = of->postfix.longest;

	/* reverses eight bytes at a time; bytes from before the text's start are beyond the key's length */
	for (u32 i = 0; i < FILTER_TEXT_MAX && i < count; i += 8)
		*(u64 *)((void *)key->text + i) = __builtin_bswap64(word_at(text, TEXT_END - 8 - i));
	if (count > length)
		count = length;
	key->slot = of->slot;
	key->prefix_bits = 8 + 8 * count;
	return bpf_map_lookup_elem(&text_postfix, key);
}

/*
 * Compares bytes[start .. TEXT_END) with the tables of one value. `dentry` is null for texts other than paths. `cut_unknown`: what
 * may be in the part that was cut from the end matches, except for selectors that only suppress events.
 */
static __always_inline u64 filter_text(struct text_buffer *text, u32 start, u32 index, u64 candidates,
				       struct dentry *dentry, bool cut_start, bool cut_end, bool cut_unknown)
{
	const volatile struct object_config *of = &config.objects[index];
	u32 length = TEXT_END - start;

	if (start < TEXT_LEAD || start > TEXT_END)
		return 0;
	if (of->equal.table.used && candidates & of->equal.table.used) {
		const struct verdict *verdict = 0;

		if (length <= of->equal.longest && !cut_start && !cut_end && may_end(&of->equal, text)) {
			text->bytes[start - 1] = of->slot;
			verdict = bpf_map_lookup_elem(&text_equal, &text->bytes[start - 1]);
		}
		if (of->inode && dentry)
			candidates = filter_inode(candidates, of, verdict, dentry);
		else
			candidates = apply(candidates, &of->equal.table, verdict);
	}
	if (of->prefix.table.used && candidates & of->prefix.table.used && cut_start) {
		candidates = filter_beginning(text, index, candidates);
	} else if (of->prefix.table.used && candidates & of->prefix.table.used) {
		const struct verdict *verdict = 0;

		if (may_begin(&of->prefix, text, start))
			verdict = find_prefix(text, start, of, length);
		candidates = apply(candidates, &of->prefix.table, verdict);
	}
	if (of->postfix.table.used && candidates & of->postfix.table.used) {
		const struct verdict *verdict = 0;

		if (!cut_end && may_end(&of->postfix, text))
			verdict = find_postfix(text, of, length);
		if (cut_end && cut_unknown)
			candidates &= ~(config.suppresses & of->postfix.table.used);
		else
			candidates = apply(candidates, &of->postfix.table, verdict);
	}
	if (of->passes_count && candidates) {
		u64 before = candidates;

		candidates = filter_substrings(text, start, of, candidates);
		/* it may be in the part that is not there */
		if (cut_start || (cut_end && cut_unknown))
			candidates |= before & ~config.suppresses;
	}
	return candidates;
}

/* ---- paths -------------------------------------------------------------------------------------------------- */

struct location {
	struct dentry *dentry;
	struct vfsmount *mnt;
	bool mount_unknown;
};

static __always_inline struct file *file_of(u64 raw, u32 read)
{
	if (read == READ_FD)
		return file_of_descriptor(raw);
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

/* A dentry alone does not name its mount. The mount of the process's root is assumed if the file system is the same. */
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

static __always_inline bool locate(u64 raw, u32 read, struct location *at)
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
	file = file_of(raw, read);
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

/* A name without a file has no inode: reads through the null pointer give 0. */
static __always_inline void describe_inode(struct value *value, struct dentry *dentry)
{
	struct inode *inode = inode_of(dentry);
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
	struct inode *inode = dentry ? inode_of(dentry) : 0;

	return filter_number(candidates, slot, inode ? READ(inode, i_mode) & FILE_TYPE_BITS : 0);
}

#ifdef REMEMBERS_VERDICTS
/* Most hooks have one path. If it is remembered and known at the entry, it is looked up before take_path() is called. */
static __always_inline bool is_looked_up_early(u32 index)
{
	u32 slot = config.objects[0].slot;
	const volatile struct value_config *value = &config.values[slot];

	return index == 0 && remembers(0) && config.objects_count && slot < HOOK_VALUES_MAX && value->read >= READ_FILE &&
	       value->read < READ_SOCK && !value->groups_count && !value->late;
}

/* A path that was looked up early, for take_path(). It is in memory, because the comparison needs the registers. */
struct first_path {
	volatile u64 dentry, mnt;
};

/* The same as look_up_path() for the first object. */
static __always_inline u32 look_up_first(struct task_struct *task, u32 memory, u64 raw, u64 candidates, struct first_path *first)
{
	struct location at = {};

	if (!locate(raw, config.values[config.objects[0].slot].read, &at)) {
		first->dentry = 0;
		first->mnt = 0;
		return PATH_PASSING;
	}
	first->dentry = (u64)at.dentry;
	first->mnt = (u64)at.mnt;
	return at.mnt ? look_up_path(task, memory, 0, at.dentry, at.mnt, candidates) : PATH_PASSING;
}
#endif

/* Resolves a path and filters it. If a candidate is left, the path is added to the record. */
static __noinline u64 take_path(struct text_buffer *text, struct hook_record *record, u32 index, u64 raw, u64 candidates)
{
	const volatile struct object_config *of;
	u32 start = TEXT_END, length, flags = TEXT_FAULT, slot, read;
	struct location at = {};
	struct value *value;
	u8 *to;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	of = &config.objects[index];
	slot = of->slot;
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	read = config.values[slot].read;
#ifdef REMEMBERS_VERDICTS
	if (remembers(index) && !is_looked_up_early(index))
		text->known = PATH_PASSING;
	if (is_looked_up_early(index)) {
		at.dentry = KERNEL(dentry, text->walk.dentry);
		at.mnt = KERNEL(vfsmount, text->walk.mnt);
		at.mount_unknown = read == READ_DENTRY && !text->walk.mnt;
	} else
#endif
	if (!locate(raw, read, &at))
		at.dentry = 0;
	if (config.values[slot].groups_count) {
		candidates = filter_file_type(candidates, slot, at.dentry);
		if (!candidates)
			return 0;
	}
	if (at.dentry) {
#ifdef REMEMBERS_VERDICTS
		if (remembers(index) && !is_looked_up_early(index)) {
			if (at.mnt)
				text->known = look_up_path(current_task(), text->place, index, at.dentry, at.mnt, candidates);
			if (text->known == PATH_MATCHES_NOTHING)
				return 0;
		}
#endif
		start = resolve_path(text, at.dentry, at.mnt);
		flags = text->walk.flags;
		if (at.mount_unknown)
			flags |= TEXT_UNREACHABLE;
	}
	if (of->filtered) {
		const u64 before __attribute__((unused)) = candidates;

		candidates = filter_text(text, start, index, candidates, at.dentry, flags & TEXT_TRUNCATED, false, false);
#ifdef REMEMBERS_VERDICTS
		if (!candidates && remembers(index) && text->known)
			remember_path(text, index, at.dentry, at.mnt, before);
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
	length = at_most(TEXT_END - start, PATH_BYTES_MAX + 1);
	start = at_most(start, TEXT_END);
	to = next_place(record, TEXT_ROOM);
	bpf_probe_read_kernel(to, length, &text->bytes[start]);
	close_place(record, value, length, flags);
	return candidates;
}

/* ---- strings and buffers ------------------------------------------------------------------------------------ */

static __always_inline bool is_user(const void *address, u32 memory)
{
	return memory == MEMORY_USER || (memory == MEMORY_BY_ADDRESS && (s64)address >= 0);
}

static __always_inline long read_memory(void *to, u32 size, const void *from, bool user)
{
	return user ? bpf_probe_read_user(to, size, from) : bpf_probe_read_kernel(to, size, from);
}

/* Returns the length. The flags say whether the string was truncated or could not be read. */
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
		*flags |= TEXT_FAULT;
	else if (got > 0)
		length = at_most(got - 1, STRING_BYTES_MAX);
	/* truncated, unless the string ends exactly here */
	if (length == STRING_BYTES_MAX && !read_memory(&next, 1, from + STRING_BYTES_MAX, user) && next)
		*flags |= TEXT_TRUNCATED;
	return length;
}

static __always_inline u64 filter_family(u64 candidates, u32 slot, const void *from, bool user)
{
	u16 family = 0;

	read_memory(&family, sizeof(family), from, user);
	return filter_number(candidates, slot, family);
}

/* The path of a Unix socket. An abstract name begins with "@". */
static __always_inline u32 read_sockaddr_un(u8 *to, const void *from, bool user, u32 *flags)
{
	enum { AF_UNIX = 1, PATH_OFFSET = 2, PATH_SIZE = 108 };
	u16 family = 0;
	u8 first = 0;
	u32 abstract;
	long got;

	if (read_memory(&family, sizeof(family), from, user) || family != AF_UNIX) {
		*flags |= TEXT_FAULT;
		return 0;
	}
	from += PATH_OFFSET;
	read_memory(&first, 1, from, user);
	abstract = !first;
	to[0] = '@';
	if (user)
		got = bpf_probe_read_user_str(to + abstract, PATH_SIZE, from + abstract);
	else
		got = bpf_probe_read_kernel_str(to + abstract, PATH_SIZE, from + abstract);
	if (got <= 1)
		return 0;
	return at_most(got - 1 + abstract, PATH_SIZE);
}

static __always_inline u32 read_buffer(u8 *to, const void *from, u64 size, u32 limit, bool user, u32 *flags)
{
	u32 length = size > limit ? limit : size;

	if (size > limit)
		*flags |= TEXT_TRUNCATED;
	opaque(length);
	if (length > limit)
		length = limit;
	if (read_memory(to, length, from, user)) {
		*flags |= TEXT_FAULT;
		return 0;
	}
	return length;
}

/*
 * Reads a scattered buffer. The room is twice the limit, so that a piece may start at the limit and still fit. `limit` is a
 * power of two less 1, so that a mask bounds a size without a branch.
 */
static __always_inline u32 read_pieces(u8 *to, const struct iovec *pieces, u64 count, u64 skip, u32 limit, bool user,
				       bool user_list, u64 *size, u32 *flags)
{
	u64 all = 0;
	u32 total = 0;

	skip += unknown_zero(count);
	for (u32 i = 0; i < IOVECS_MAX && i < count; i++) {
		struct { u64 base, length; } piece = {};
		u64 skipped;
		u32 length;

		if (read_memory(&piece, sizeof(piece), &pieces[i], user_list)) {
			*flags |= TEXT_FAULT;
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
			*flags |= TEXT_FAULT;
			break;
		}
		total += length;
	}
	opaque(total);
	total &= limit;
	*size = all;
	if (all > total || count > IOVECS_MAX)
		*flags |= TEXT_TRUNCATED;
	return total;
}

static __always_inline u32 read_iov_iter(u8 *to, u64 raw, u32 limit, u64 *size, u32 *flags)
{
	struct iov_iter *iter = KERNEL(iov_iter, raw);
	const struct iovec *pieces;
	u32 type, length;

	if (!raw) {
		*flags |= TEXT_FAULT;
		return 0;
	}
	type = READ(iter, iter_type);
	*size = READ(iter, count);
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) && type == bpf_core_enum_value(enum iter_type, ITER_UBUF))
		return read_buffer(to, READ(iter, ubuf) + READ(iter, iov_offset), *size, limit, true, flags);
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC) && type != bpf_core_enum_value(enum iter_type, ITER_KVEC)) {
		/* pages or pipes: their bytes have no address */
		*flags |= TEXT_FAULT;
		return 0;
	}
	if (bpf_core_field_exists(iter->__iov))
		pieces = READ(iter, __iov);
	else
		pieces = READ(iter, iov);
	length = read_pieces(to, pieces, READ(iter, nr_segs), READ(iter, iov_offset), limit,
			     type == bpf_core_enum_value(enum iter_type, ITER_IOVEC), false, size, flags);
	if (*size > length)
		*flags |= TEXT_TRUNCATED;
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

/* Reads a string or buffer into the record and filters it. It is kept if a candidate is left. */
static __noinline u64 take_text(struct text_buffer *text, struct hook_record *record, u32 index, u64 raw, u64 candidates)
{
	const volatile struct object_config *of;
	u64 size = record->size;
	u32 length, flags = unknown_zero(size), slot, read, room, limit;
	struct value *value;
	bool user;
	u8 *to;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	of = &config.objects[index];
	slot = of->slot;
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	read = config.values[slot].read;
	room = config.values[slot].room;
	user = is_user((void *)raw, config.values[slot].memory);
	if (read == READ_SOCKADDR_UN && config.values[slot].groups_count) {
		candidates = filter_family(candidates, slot, (void *)raw, user);
		if (!candidates)
			return 0;
	}
	to = next_place(record, room);
	limit = room - 1;
	if (read == READ_BUFFER) {
		length = read_buffer(to, (void *)raw, size, limit, user, &flags);
	} else if (read == READ_IOVEC) {
		length = read_pieces(to, (void *)raw, size, 0, room / 2 - 1, user, user, &size, &flags);
	} else if (read == READ_IOV_ITER) {
		length = read_iov_iter(to, raw, room / 2 - 1, &size, &flags);
	} else {
		const void *from = string_address(raw, read);

		if (read == READ_SOCKADDR_UN)
			length = read_sockaddr_un(to, from, user, &flags);
		else
			length = read_string(to, from, user, &flags);
		size = length;
	}
	if (of->filtered) {
		u32 compared = at_most(length, STRING_BYTES_MAX);
		u32 start = at_most(TEXT_END - compared, TEXT_END);

		bpf_probe_read_kernel(&text->bytes[start], compared, to);
		candidates = filter_text(text, start, index, candidates, 0, false,
					 flags & TEXT_TRUNCATED || length > STRING_BYTES_MAX,
					 read != READ_BUFFER && read != READ_IOVEC && read != READ_IOV_ITER);
		if (!candidates)
			return 0;
	}
	value = value_slot(record, slot);
	clear_value(value);
	value->size = size > 0xffffffff ? 0xffffffff : size;
	close_place(record, value, length, flags);
	return candidates;
}

#endif
