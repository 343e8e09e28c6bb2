/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The record of a hook while it is built: the values, then strings and details in the order of reading. */
#ifndef POLYTRACE_RECORD_BPF_H
#define POLYTRACE_RECORD_BPF_H

#include "values.bpf.h"

/* The state that an entry saves for its return, and the record that is posted. */
struct hook_record {
	u64 candidates;
	u64 size; /* size of the buffer that is read next */
	u32 used; /* bytes of the body in use */
	u32 pad;
	struct event_hook event;
	u8 body[BODY_SIZE_MAX]; /* only config.body_size bytes of it exist */
};

static __always_inline struct value *value_slot(struct hook_record *record, u32 slot)
{
	if (slot >= HOOK_VALUES_MAX)
		slot = 0;
	return (void *)&record->body[slot * sizeof(struct value)];
}

/* Returns `capacity` bytes for the next string or detail. commit_bytes() sets how many of them are used. */
static __always_inline u8 *reserve_bytes(struct hook_record *record, u32 capacity)
{
	u32 used;

	if (config.has_actions) {
		/* the skipped bytes are part of the hash of a rate limit: clear them */
		u32 rest = record->used % 8, whole = at_most(record->used & ~7, config.body_size - 8);

		if (rest)
			*(u64 *)&record->body[whole] &= (1ULL << (8 * rest)) - 1;
	}
	used = at_most((record->used + 7) & ~7, config.body_size - capacity);
	record->used = used;
	return &record->body[used];
}

static __always_inline void commit_bytes(struct hook_record *record, struct value *value, u32 length, u32 flags)
{
	value->string.offset = sizeof(struct event_hook) + record->used;
	value->string.length = length;
	value->string.flags = flags;
	record->used += length;
}

/* The position of bytes of the record in its body. */
static __always_inline u32 body_offset(const struct string_ref *ref, u32 size)
{
	return at_most(ref->offset - sizeof(struct event_hook), config.body_size - size);
}

static __always_inline const struct net_detail *detail_of(const struct hook_record *record, const struct value *value)
{
	return (void *)&record->body[body_offset(&value->string, DETAIL_CAPACITY)];
}

static __always_inline void clear_value(struct value *value)
{
	__builtin_memset(value, 0, sizeof(*value));
	value->fd = -1;
}

#endif
