/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The owners of sockets. The kernel may handle a packet in any process, so the owner is stored when the socket is
 * created. The key is the address of the struct sock. The entry is removed when the kernel frees that struct.
 */
#ifndef POLYTRACE_SOCKETS_BPF_H
#define POLYTRACE_SOCKETS_BPF_H

#include "common.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, u64); /* address of the struct sock */
	__type(value, struct process_key);
} socket_owners SEC(".maps");

static __always_inline void store_owner(u64 socket, struct process_key *owner)
{
	if (bpf_map_update_elem(&socket_owners, &socket, owner, BPF_ANY))
		count_lost_pending(HOOK_SOCKETS);
}

static __always_inline void delete_owner(u64 socket)
{
	bpf_map_delete_elem(&socket_owners, &socket);
}

#endif
