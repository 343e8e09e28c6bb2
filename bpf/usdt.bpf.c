// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A static probe of a program: a uprobe whose parameters are where a note in the file says. libbpf reads the notes. */
#include "probes.bpf.h"

/* of libbpf's maps: room for the places of the probe is made at load, the other is for kernels before 5.15 */
#define BPF_USDT_MAX_SPEC_CNT 1
#define BPF_USDT_MAX_IP_CNT 256
#include <bpf/usdt.bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u64 hook_param(void *ctx, u32 n)
{
	long word;

	/* 0 where it cannot be read */
	bpf_usdt_arg(ctx, n, &word);
	return word;
}

SEC("usdt")
int hook_entry(struct pt_regs *ctx)
{
	s32 value = 0;

	on_entry(ctx, 0, &value);
	return 0;
}
