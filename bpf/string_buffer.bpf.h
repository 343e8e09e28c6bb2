/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A buffer with a string or a path for the filters. The string is right-aligned and followed by zeros. Without a copy,
 * it serves as a padded hash key, as a trie key (slot and length are written in front of it), and as the source for the
 * record.
 */
#ifndef POLYTRACE_STRING_BUFFER_BPF_H
#define POLYTRACE_STRING_BUFFER_BPF_H

#include "common.bpf.h"

enum {
	STRING_HEADROOM = 64, /* space for the start of a key in front of a string */
	STRING_END = STRING_HEADROOM + STRING_CAPACITY, /* the end of every string */
	STRING_ZEROS = STRING_CAPACITY, /* padding of hash keys; never written */
	NAME_BYTES_MAX = 255,
	HEAD_BYTES = 256, /* bytes of the beginning of a long path: the most that a Prefix compares */
	HEAD_END = STRING_HEADROOM + 1024,
	HEAD_MASK = 2047, /* bounds an offset in the head for the verifier */
};

/* The state of the walk up a path. Pointers are stored as numbers; the next round casts them again. */
struct path_walk {
	u64 dentry, mnt;
	u64 root_dentry, root_mnt;
	u32 start;
	u32 flags; /* enum string_flag, and WALK_ENDLESS */
	u32 crossed; /* not 0: the root of a mount on the path is another directory than its mount point */
	u32 head; /* offset of the beginning of the path in string_buffer.head */
};

/* The path has more names than the walk follows, so its beginning is unknown. */
enum { WALK_ENDLESS = 1 << 16 };

/* The state of the search for substrings. */
struct substring_scan {
	u64 hits; /* selectors whose substring was found */
	u32 at; /* the next byte to read */
	u32 state;
	u32 ignore_case;
	u32 pad;
};

/* The text of a label of a metric, for the functions that hash and cut it; see counts.bpf.h. */
struct label_text {
	u64 words[2];
	u32 start, length; /* in bytes of string_buffer */
	u32 folders, found; /* folders to keep, and slashes so far */
};

struct string_buffer {
	struct path_walk walk;
	struct substring_scan scan;
	u64 task; /* the task whose executable is looked up */
	struct label_text label;
	u8 bytes[STRING_END + STRING_ZEROS];
	struct trie_key reversed;
	u32 map_index; /* index in the map `scratch` of a hook; see lookup_buffer() */
	u32 cache_result; /* the result of lookup_negative() */
	u8 head[HEAD_MASK + 1 + sizeof(struct trie_key)]; /* the beginning of a path that does not fit into bytes */
#ifdef POLICY_GROUP
	u32 prefix_set[GROUP_STRINGS_MAX], postfix_set[GROUP_STRINGS_MAX]; /* the rules that each string leads to */
	u32 is_missing[GROUP_STRINGS_MAX]; /* not 0: there is no string or path */
#endif
#ifdef OLD_KERNEL
	struct process_sets found, lineage; /* results of global functions */
#endif
};

/*
 * Global functions take a string buffer. Before Linux 5.13, a global function cannot have a pointer parameter: it takes
 * the index in the map of the program, and looks the buffer up.
 */
#ifdef OLD_KERNEL
#define BUFFER_PARAM u32 index
#define BUFFER_ARG lookup_buffer(index)
#define PASS_BUFFER(buffer) ((buffer)->map_index)
static struct string_buffer *lookup_buffer(u32 index);
#else
#define BUFFER_PARAM struct string_buffer *given
#define BUFFER_ARG given
#define PASS_BUFFER(buffer) (buffer)
#endif

#endif
