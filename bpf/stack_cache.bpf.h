/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel stacks that a hook has seen. For bpf_get_stack(), the kernel unwinds its stack frame by frame, with its
 * ORC tables, and first the frames of its own unwinder. That costs more than the rest of an event, and most calls of a
 * function come from few places.
 *
 * The ORC entry of an address says where a frame has the address to which it returns: at a fixed distance from the
 * stack pointer, or from register bp. Entries of the kernel itself never change. A known stack has its addresses and
 * their places. A call has the same stack if each place has its address: the place of an address depends only on the
 * addresses before it, so the kernel's unwinder would take the same steps. All addresses are compared, and no hash.
 *
 * A stack is stored only if these steps lead to the very addresses that the kernel has found. A stack with a frame of a
 * module or of an interrupt, or with a return address that a kretprobe has replaced, is never stored.
 */
#ifndef POLYTRACE_STACK_CACHE_BPF_H
#define POLYTRACE_STACK_CACHE_BPF_H

#include "negative_cache.bpf.h"
#include "record.bpf.h"

/* The context of a trampoline is in its stack frame. The others do without: see the end of this file. */
#if defined(TRAMPOLINE) && !defined(READ_PROBE) && defined(__TARGET_ARCH_x86)
#define HAS_STACK_CACHE

/* A variable, so that its address is a constant in the program. User space sets its size at load: one for each CPU. */
struct stack_cache stack_caches[1] SEC(".data.stack_cache") = {};

enum {
	KERNEL_STACK_BYTES = 16384, /* a stack begins at a multiple of its size */
	/* struct pt_regs of a program is at the end of the stack; with CONFIG_X86_FRED, 16 bytes below the end */
	REGS_SIZE = 168,
	REGS_ORIG_AX = 120,
	REGS_CS = 136,
};

/* arch/x86/include/asm/orc_types.h, since Linux 6.4. Earlier kernels have other numbers, and store no stack. */
enum orc_type { ORC_END_OF_STACK = 1, ORC_CALL = 2, ORC_REGS = 3 };
enum orc_register { ORC_UNDEFINED = 0, ORC_PREVIOUS_SP = 1, ORC_BP = 4, ORC_SP = 5 };
enum { LOOKUP_BLOCK_BITS = 8, ORC_ENTRY_BYTES = 6 };

/* The context as a number: the verifier allows no other arithmetic on the pointer. */
static __always_inline u64 context_address(void *ctx)
{
	u64 address = (u64)ctx;

	asm volatile("%0 = -%0" : "+r"(address));
	return -address;
}

static __always_inline bool is_on_stack(u64 address, u64 context)
{
	return (address ^ context) < KERNEL_STACK_BYTES;
}

static __always_inline u64 stack_start(u64 context)
{
	return context & ~(u64)(KERNEL_STACK_BYTES - 1);
}

static __always_inline bool is_kernel_text(u64 address)
{
	return address - config.text_start < config.text_size;
}

static __always_inline struct stack_cache *own_stack_cache(void)
{
	struct stack_cache *first = stack_caches;
	u32 cpu = bpf_get_smp_processor_id();

	opaque(first); /* for the compiler, the array has only one element */
	return cpu < config.stack_caches ? first + cpu : 0;
}

/* Depends on the caller of the function and on the number of the system call. */
static __always_inline struct known_stack *find_known_stack(struct stack_cache *cache, u64 context, u64 caller)
{
	u64 call = read_word((context | (KERNEL_STACK_BYTES - 1)) + 1 - REGS_SIZE + REGS_ORIG_AX);
	u32 index = (u32)(read_word(context + caller) + call) * 0x9e3779b1 >> (32 - KNOWN_STACK_BITS);

	return &cache->stacks[index & (KNOWN_STACKS - 1)];
}

/* Copies the addresses of the stack if the call has this one. Returns their number, or 0. */
static __noinline u32 copy_known_stack(void *ctx, struct stack_cache *cache, u64 *to)
{
	u64 context = context_address(ctx), base = context, at = context;
	struct known_stack *stack;
	u32 first, i;

	if (!cache->caller)
		return 0;
	stack = find_known_stack(cache, context, cache->caller);
	first = stack->first;
	if (!first)
		return 0;
	/* the frames below are of this program, which has always the same ones */
	if (read_word(context - stack->trampoline) != stack->frames[(first - 1) & (KNOWN_FRAMES - 1)].address)
		return 0;
#pragma unroll
	for (i = 0; i < STACK_PROGRAM_FRAMES; i++)
		to[i] = stack->frames[i].address;
	for (i = first; i < KNOWN_FRAMES; i++) {
		const struct known_frame *frame = &stack->frames[i];
		u64 address = frame->address;

		if (frame->kind) {
			if (frame->kind == FRAME_IS_END)
				return base + frame->place - stack->registers == stack_start(context) ? i : 0;
			base = read_word(base + frame->base);
			if (base <= at || !is_on_stack(base, context))
				return 0;
		}
		at = base + frame->place;
		if (read_word(at) != address)
			return 0;
		to[i] = address;
	}
	return 0;
}

/* ---- storing a stack ---------------------------------------------------------------------------------------- */

struct stack_walk {
	struct stack_cache *cache;
	struct known_stack *stack;
	const u64 *addresses;
	u64 context, base;
	u64 at; /* where the frame has its address */
	u64 bp_at; /* where the value of register bp is; 0: it is the base */
	u32 count, kind, base_place;
	bool is_complete;
};

/* Finds the last entry of the table whose address is at or before `ip`, as the kernel does. */
static __noinline u64 read_orc_entry(u64 ip)
{
	u64 block = config.orc_lookup + sizeof(u32) * ((ip - config.text_start) >> LOOKUP_BLOCK_BITS), entry = 0;
	u32 range[2] = {}, low, high;

	if (bpf_probe_read_kernel(range, sizeof(range), (void *)block))
		return 0;
	low = range[0];
	high = range[1];
	/* a block has at most one entry for each byte */
	if (high - low > 1 << LOOKUP_BLOCK_BITS)
		return 0;
	for (u32 i = 0; i < LOOKUP_BLOCK_BITS + 1 && low < high; i++) {
		u32 middle = low + (high - low + 1) / 2;
		u64 at = config.orc_addresses + sizeof(s32) * (u64)middle;
		s32 distance = 0;

		if (bpf_probe_read_kernel(&distance, sizeof(distance), (void *)at))
			return 0;
		if (at + distance <= ip)
			low = middle;
		else
			high = middle - 1;
	}
	if (bpf_probe_read_kernel(&entry, ORC_ENTRY_BYTES, (void *)(config.orc_entries + ORC_ENTRY_BYTES * (u64)low)))
		return 0;
	return entry;
}

static __always_inline u64 find_orc_entry(struct stack_cache *cache, u64 ip)
{
	struct orc_copy *copy = &cache->orc[((u32)ip * 0x9e3779b1 >> (32 - ORC_COPY_BITS)) & (ORC_COPIES - 1)];

	if (copy->address != ip) {
		copy->entry = read_orc_entry(ip);
		copy->address = ip;
	}
	return copy->entry;
}

/* Stores one frame. Returns 1 after the last one, or if the stack cannot be stored. */
static long store_frame(u32 i, struct stack_walk *walk)
{
	u64 context = walk->context, address, entry, sp;
	struct known_frame *frame;
	u32 bits, from;

	if (i >= KNOWN_FRAMES - 1 || i >= walk->count)
		return 1;
	frame = &walk->stack->frames[i];
	address = walk->addresses[i];
	frame->address = address;
	if (i < walk->stack->first)
		return 0;
	if (read_word(walk->at) != address || !is_kernel_text(address))
		return 1;
	frame->place = walk->at - walk->base;
	frame->base = walk->base_place;
	frame->kind = walk->kind;
	walk->kind = 0;

	/* an address to return to may be the first one after the function */
	entry = find_orc_entry(walk->cache, address - 1);
	bits = entry >> 32;
	from = bits & 15;
	if (from == ORC_BP) {
		if (walk->bp_at) {
			walk->kind = FRAME_HAS_BASE;
			walk->base_place = walk->bp_at - walk->base;
			walk->base = read_word(walk->bp_at);
			walk->bp_at = 0;
		}
		sp = walk->base;
		if (sp <= walk->at || !is_on_stack(sp, context))
			return 1;
	} else if (from == ORC_SP) {
		sp = walk->at + sizeof(u64);
	} else {
		return 1;
	}
	sp += (s16)entry;
	if (sp <= walk->at || !is_on_stack(sp, context))
		return 1;
	if ((bits >> 8 & 7) == ORC_REGS) {
		walk->stack->registers = sp - stack_start(context);
		frame = &walk->stack->frames[i + 1];
		frame->place = sp - walk->base;
		frame->kind = FRAME_IS_END;
		walk->is_complete = !walk->kind && i + 1 == walk->count && is_on_stack(sp + REGS_CS, context) &&
				    read_word(sp + REGS_CS) & 3;
		return 1;
	}
	/* the bit above the type is set in the frame of a signal */
	if ((bits >> 8 & 15) != ORC_CALL)
		return 1;
	if (sp - sizeof(u64) <= walk->at || sp - sizeof(u64) < walk->base)
		return 1;
	walk->at = sp - sizeof(u64);
	from = bits >> 4 & 15;
	if (from == ORC_PREVIOUS_SP) {
		walk->bp_at = sp + (s16)(entry >> 16);
		if (walk->bp_at < walk->base || !is_on_stack(walk->bp_at, context))
			return 1;
	} else if (from != ORC_UNDEFINED) {
		return 1;
	}
	return 0;
}

/* Returns the distance from the context to the only one of these words that is `value`; 0 if there is not one. */
static __always_inline u32 find_word(u64 from, s64 step, u32 count, u64 value)
{
	u32 found = 0;

	for (u32 i = 1; i <= count; i++) {
		if (read_word(from + i * step) != value)
			continue;
		if (found)
			return 0;
		found = i * sizeof(u64);
	}
	return found;
}

/*
 * Stores a stack of `count` addresses that the kernel has found. The stack frame of the trampoline has, above the
 * context, register bp and the address to which the trampoline returns, and below the context the address to which this
 * program returns.
 */
static __noinline int store_known_stack(void *ctx, struct stack_cache *cache, const u64 *addresses, u32 count)
{
	struct stack_walk walk = { .cache = cache, .addresses = addresses, .count = count };
	u32 first = 0, entry, trampoline;
	u64 context = context_address(ctx);

	/* stacks that cannot be stored cost little */
	if (cache->pause) {
		cache->pause--;
		return 0;
	}
	cache->pause = STACK_PAUSE;
	if (count >= KNOWN_FRAMES)
		return 0;
	for (u32 i = 0; i < STACK_PROGRAM_FRAMES + 1 && i < count; i++) {
		if (is_kernel_text(addresses[i])) {
			first = i;
			break;
		}
	}
	if (!first)
		return 0;
	entry = find_word(context, sizeof(u64), TRAMPOLINE_WORDS_ABOVE, addresses[first & (KNOWN_FRAMES - 1)]);
	trampoline = find_word(context, -(s64)sizeof(u64), TRAMPOLINE_WORDS_BELOW,
			       addresses[(first - 1) & (KNOWN_FRAMES - 1)]);
	if (!entry || !trampoline)
		return 0;
	cache->caller = entry + sizeof(u64);
	walk.stack = find_known_stack(cache, context, entry + sizeof(u64));
	walk.stack->first = first;
	walk.stack->trampoline = trampoline;
	walk.context = context;
	walk.base = context;
	walk.at = context + entry;
	walk.bp_at = context + entry - sizeof(u64);
	bpf_loop(KNOWN_FRAMES, store_frame, &walk, 0);
	if (walk.is_complete)
		cache->pause = 0;
	else
		walk.stack->first = 0;
	return 0;
}
#endif

#endif
