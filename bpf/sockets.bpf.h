/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whose a socket is. Packets are handled by whichever process happens to run: only what was noted when the socket was made
 * tells who that is for. A socket is known by the address of its struct sock, and forgotten when the kernel frees that.
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

static __always_inline void note_owner(u64 socket, struct process_key *owner)
{
	if (bpf_map_update_elem(&socket_owners, &socket, owner, BPF_ANY))
		count_lost_pending(HOOK_SOCKETS);
}

static __always_inline void forget_owner(u64 socket)
{
	bpf_map_delete_elem(&socket_owners, &socket);
}

#endif
