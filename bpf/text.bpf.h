/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A text (path or string) that filters look at. It stands right-aligned before a run of zeros, so that it is a hash key
 * (padded), a trie key (its slot and length written in front) and a copy source without being moved.
 */
#ifndef POLYTRACE_TEXT_BPF_H
#define POLYTRACE_TEXT_BPF_H

#include "common.bpf.h"

enum {
	TEXT_LEAD = 64, /* room for what precedes a text as a key */
	TEXT_END = TEXT_LEAD + 4096, /* where a text ends */
	TEXT_ZEROS = 4096, /* never written: the padding of hash keys */
	NAME_BYTES_MAX = 255,
};

/* Where the walk up a path stands. Pointers as numbers: the next round casts them again. */
struct path_walk {
	u64 dentry, mnt;
	u64 root_dentry, root_mnt;
	u32 start;
	u32 flags; /* enum text_flag */
};

/* Where the search for substrings stands. */
struct text_scan {
	u64 hits; /* selectors whose substring was found */
	u32 at; /* next byte */
	u32 state;
	u32 ignore_case;
	u32 pad;
};

struct text_buffer {
	struct path_walk walk;
	struct text_scan scan;
	u64 task; /* whose executable is asked for */
	u8 bytes[TEXT_END + TEXT_ZEROS];
	struct trie_key reversed;
	u32 pad;
};

#endif
