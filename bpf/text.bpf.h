/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A text (path or string) for filters. It is right-aligned and followed by zeros. It can therefore be used, without
 * moving it, as a padded hash key, as a trie key (slot and length are written in front of it), and as the source of a
 * copy.
 */
#ifndef POLYTRACE_TEXT_BPF_H
#define POLYTRACE_TEXT_BPF_H

#include "common.bpf.h"

enum {
	TEXT_LEAD = 64, /* room for the start of a key in front of a text */
	TEXT_END = TEXT_LEAD + TEXT_ROOM, /* the end of every text */
	TEXT_ZEROS = TEXT_ROOM, /* padding of hash keys; never written */
	NAME_BYTES_MAX = 255,
	HEAD_KEPT = 256, /* the beginning of a long path: as much as a Prefix compares */
	HEAD_END = TEXT_LEAD + 1024,
	HEAD_MASK = 2047, /* bounds a place in the head for the verifier */
};

/* The position of the walk up a path. Pointers are kept as numbers; the next round casts them again. */
struct path_walk {
	u64 dentry, mnt;
	u64 root_dentry, root_mnt;
	u32 start;
	u32 flags; /* enum text_flag, and WALK_ENDLESS */
	u32 crossed; /* not 0: a mount on the path shows another directory than the one that it is mounted on */
	u32 head; /* where text_buffer.head begins */
};

/* The path has more names than the walk follows: its beginning is not known. */
enum { WALK_ENDLESS = 1 << 16 };

/* The position of the search for substrings. */
struct text_scan {
	u64 hits; /* selectors whose substring was found */
	u32 at; /* the next byte to read */
	u32 state;
	u32 ignore_case;
	u32 pad;
};

struct text_buffer {
	struct path_walk walk;
	struct text_scan scan;
	u64 task; /* the task whose executable is looked up */
	u8 bytes[TEXT_END + TEXT_ZEROS];
	struct trie_key reversed;
	u32 place; /* index in the map `scratch` of a hook; see text_at() */
	u32 known; /* the result of look_up_path() */
	u8 head[HEAD_MASK + 1 + sizeof(struct trie_key)]; /* of a path that is longer than bytes: its beginning */
#ifdef OLD_KERNEL
	struct process_sets found, lineage; /* what global functions return */
#endif
};

/*
 * Global functions take a text. Before Linux 5.13, they cannot have a pointer as a parameter: there they take its place in the map of
 * the program, and look it up.
 */
#ifdef OLD_KERNEL
#define TEXT_PARAM u32 place
#define TEXT_GIVEN text_at(place)
#define PASS_TEXT(text) ((text)->place)
static struct text_buffer *text_at(u32 place);
#else
#define TEXT_PARAM struct text_buffer *given
#define TEXT_GIVEN given
#define PASS_TEXT(text) (text)
#endif

#endif
