// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A hook of the Linux security modules. */
#include "lsm.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

TYPED_SEC("lsm")
long hook_entry(void *ctx)
{
	long result;
	s32 value = 0;

	begin_exclusive();
	result = on_entry(ctx, (u64)ctx, &value) ? clamp_error(value) : 0;
	end_exclusive();
	return result;
}

/*
 * The first file among the parameters. It is read by typed accesses, because the helper accepts no pointer that was
 * read from memory.
 */
static __always_inline struct file *find_file_param(void *ctx)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *value = &config.values[i];

		if (i >= config.values_count)
			break;
		if (value->source != SOURCE_PARAM || value->steps_count)
			continue;
		if (value->read == READ_FILE)
			return (struct file *)context_word(ctx, value->param);
		if (value->read == READ_BINPRM)
			return ((struct linux_binprm *)context_word(ctx, value->param))->file;
	}
	return 0;
}

/* Finishes an event for hook_entry; see defer_to_second(). */
TYPED_SEC("lsm.s")
long hook_return(void *ctx)
{
	u64 frame = (u64)ctx;
	struct hook_record *record = bpf_map_lookup_elem(&pending, &frame);
	struct file *file;
	s32 value = 0;

	if (!record)
		return 0;
	file = find_file_param(ctx);
	if (file) {
		struct ima_hash *hash = (void *)reserve_bytes(record, sizeof(*hash));
		long algorithm = bpf_ima_file_hash(file, hash->digest, IMA_DIGEST_BYTES);

		if (algorithm >= 0) {
			hash->algorithm = algorithm;
			record->event.header.flags |= EVENT_IMA_HASH;
			record->used += sizeof(*hash);
		}
	}
	post_record(record, record->candidates);
	if (record->event.header.flags & EVENT_OVERRIDDEN)
		value = config.actions[matched_selector(record->candidates)].override_value;
	bpf_map_delete_elem(&pending, &frame);
	return clamp_error(value);
}
