/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Describes kernel objects in an event: sockets, packets, credentials, programs, modules. */
#ifndef POLYTRACE_DETAILS_BPF_H
#define POLYTRACE_DETAILS_BPF_H

#include "strings.bpf.h"
#include "sockets.bpf.h"

enum { FAMILY_INET = 2, FAMILY_INET6 = 10 };

/* ---- sockets and packets ------------------------------------------------------------------------------------ */

static __always_inline u16 from_network(u16 value)
{
	return __builtin_bswap16(value);
}

static __always_inline void fill_sock(struct net_detail *net, u64 raw)
{
	struct sock *sk = KERNEL(sock, raw);

	net->family = READ(sk, __sk_common.skc_family);
	net->state = READ(sk, __sk_common.skc_state);
	net->type = READ(sk, sk_type);
	net->protocol = READ(sk, sk_protocol);
	net->mark = READ(sk, sk_mark);
	net->priority = READ(sk, sk_priority);
	net->cookie = READ_U64(sk, __sk_common.skc_cookie);
	net->address = raw;
	if (net->family == FAMILY_INET) {
		*(u32 *)net->source = READ(sk, __sk_common.skc_rcv_saddr);
		*(u32 *)net->destination = READ(sk, __sk_common.skc_daddr);
	} else if (net->family == FAMILY_INET6) {
		bpf_probe_read_kernel(net->source, 16, ADDRESS(sk, __sk_common.skc_v6_rcv_saddr));
		bpf_probe_read_kernel(net->destination, 16, ADDRESS(sk, __sk_common.skc_v6_daddr));
	} else {
		return;
	}
	net->source_port = READ(sk, __sk_common.skc_num);
	net->destination_port = from_network(READ(sk, __sk_common.skc_dport));
}

static __always_inline void fill_socket(struct net_detail *net, u64 raw)
{
	struct socket *socket = KERNEL(socket, raw);
	struct sock *sk = READ(socket, sk);

	if (sk)
		fill_sock(net, (u64)sk);
}

/* The struct sock of a sock, socket or skb, or 0. */
static __always_inline u64 read_sock(u64 raw, u32 read)
{
	if (!raw || read == READ_SOCK)
		return raw;
	if (read == READ_SOCKET)
		return (u64)READ(KERNEL(socket, raw), sk);
	return (u64)READ(KERNEL(sk_buff, raw), sk);
}

static __noinline u64 read_slot_sock(void *ctx, u32 slot, u64 returned)
{
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	return read_sock(read_raw_inline(ctx, slot, returned), config.values[slot].read);
}

/* The process of the event becomes the owner of the first argument that is a tracked socket. */
static __noinline int find_owner(void *ctx, struct event_hook *event)
{
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *value = &config.values[i];
		struct process_key *owner;
		u64 sock;

		if (i >= config.values_count)
			break;
		if (value->read < READ_SOCK || value->read > READ_SKB || value->source == SOURCE_RETURN)
			continue;
		sock = read_slot_sock(ctx, i, 0);
		owner = bpf_map_lookup_elem(&socket_owners, &sock);
		if (!owner)
			continue;
		event->key = *owner;
		event->header.flags |= EVENT_SOCKET_OWNER;
		break;
	}
	return 0;
}

static __always_inline bool has_ports(u32 protocol)
{
	/* TCP, UDP, DCCP, SCTP, UDP-Lite */
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* Skips the extension headers of IPv6. Returns where the transport header begins. */
static __always_inline void *skip_extensions(void *at, u8 *next)
{
	enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60, EXTENSIONS_MAX = 4 };

	for (u32 i = 0; i < EXTENSIONS_MAX; i++) {
		u8 header[2] = {};

		if (*next != HOP_BY_HOP && *next != ROUTING && *next != FRAGMENT && *next != DESTINATION)
			break;
		if (bpf_probe_read_kernel(header, sizeof(header), at))
			break;
		at += *next == FRAGMENT ? 8 : 8 + 8 * (u32)header[1];
		*next = header[0];
	}
	return at;
}

static __always_inline void fill_ports(struct net_detail *net, const void *transport)
{
	u16 ports[2] = {};

	if (!has_ports(net->protocol) || bpf_probe_read_kernel(ports, sizeof(ports), transport))
		return;
	net->source_port = from_network(ports[0]);
	net->destination_port = from_network(ports[1]);
}

static __always_inline void fill_skb(struct net_detail *net, u64 raw)
{
	struct sk_buff *skb = KERNEL(sk_buff, raw);
	void *ip = READ(skb, head) + READ(skb, network_header);
	u8 header[40] = {}; /* an IPv6 header; an IPv4 header has 20 bytes and options */

	net->length = READ(skb, len);
	net->hash = READ(skb, hash);
	net->mark = READ(skb, mark);
	net->priority = READ(skb, priority);
	if (bpf_probe_read_kernel(header, sizeof(header), ip))
		return;
	if (header[0] >> 4 == 4) {
		net->family = FAMILY_INET;
		net->protocol = header[9];
		__builtin_memcpy(net->source, header + 12, 4);
		__builtin_memcpy(net->destination, header + 16, 4);
		fill_ports(net, ip + 4 * (header[0] & 15));
	} else if (header[0] >> 4 == 6) {
		u8 next = header[6];
		void *transport = skip_extensions(ip + sizeof(header), &next);

		net->family = FAMILY_INET6;
		net->protocol = next;
		__builtin_memcpy(net->source, header + 8, 16);
		__builtin_memcpy(net->destination, header + 24, 16);
		fill_ports(net, transport);
	}
}

static __always_inline void fill_sockaddr(struct net_detail *net, const void *from, bool user)
{
	u16 words[2] = {}; /* family and port */

	if (read_memory(words, sizeof(words), from, user))
		return;
	net->family = words[0];
	if (net->family == FAMILY_INET)
		read_memory(net->source, 4, from + 4, user);
	else if (net->family == FAMILY_INET6)
		read_memory(net->source, 16, from + 8, user);
	else
		return;
	net->source_port = from_network(words[1]);
}

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct address_key);
	__type(value, struct match_entry);
} addresses SEC(".maps");

static __always_inline bool is_mapped_ipv4(const u8 *address)
{
	const u32 *words = (const u32 *)address;

	return !words[0] && !words[1] && words[2] == 0xffff0000;
}

/* Fills the key of an address of IPv4 or IPv6. Returns false for others. An address that maps IPv4 is one of IPv4. */
static __always_inline bool fill_address_key(struct address_key *key, const struct net_detail *net, u32 side, u32 slot)
{
	const u8 *address = side == ADDRESS_SOURCE ? net->source : net->destination;

	key->slot = slot;
	key->side = side;
	if (net->family == FAMILY_INET || (net->family == FAMILY_INET6 && is_mapped_ipv4(address))) {
		key->family = FAMILY_INET;
		key->prefix_bits = 32 + 32;
		*(u32 *)key->address = *(u32 *)(address + (net->family == FAMILY_INET ? 0 : 12));
		return true;
	}
	key->family = FAMILY_INET6;
	key->prefix_bits = 32 + 128;
	__builtin_memcpy(key->address, address, 16);
	return net->family == FAMILY_INET6;
}

#ifdef POLICY_GROUP
/* Looks a port or an address of the detail up, if it leads to rules. Returns false if no rule can match. */
static bool has_net_rules(struct hook_record *record, u32 index, const struct net_detail *net);
#else
static __noinline u64 filter_address(const struct net_detail *net, u32 side, u32 index, u64 candidates)
{
	const volatile struct table *table;
	const struct match_entry *entry = 0;
	struct address_key key = {};

	if (index >= HOOK_VALUES_MAX)
		return 0;
	table = side == ADDRESS_SOURCE ? &config.objects[index].source : &config.objects[index].destination;
	if (fill_address_key(&key, net, side, config.objects[index].slot))
		entry = bpf_map_lookup_elem(&addresses, &key);
	return apply_entry(candidates, table, entry);
}

static __always_inline u64 filter_net(const struct net_detail *net, u32 index, u64 candidates)
{
	const volatile struct object_config *object = &config.objects[index];
	u32 slot = object->slot, first, count;

	if (slot >= HOOK_VALUES_MAX)
		return 0;
	first = config.values[slot].first_group;
	count = config.values[slot].groups_count;
	for (u32 i = 0; i < INT_GROUPS_MAX && i < count; i++) {
		u32 field = config.groups[first + i].field;

		if (field > sizeof(*net) - sizeof(u32))
			return 0;
		candidates = filter_group(candidates, first + i, *(u32 *)((void *)net + field));
	}
	if (object->source.used && candidates & object->source.used)
		candidates = filter_address(net, ADDRESS_SOURCE, index, candidates);
	if (object->destination.used && candidates & object->destination.used)
		candidates = filter_address(net, ADDRESS_DESTINATION, index, candidates);
	return candidates;
}
#endif

/* ---- other objects ------------------------------------------------------------------------------------------ */

static __always_inline void fill_cred(struct cred_detail *detail, u64 raw)
{
	const struct cred *cred = KERNEL(cred, raw);
	struct user_namespace *ns = READ(cred, user_ns);

	fill_creds(&detail->creds, cred);
	detail->securebits = READ(cred, securebits);
	detail->user_level = READ(ns, level);
	detail->user_owner = READ(ns, owner.val);
	detail->user_group = READ(ns, group.val);
	detail->user_inum = READ(ns, ns.inum);
}

static __always_inline void fill_user_namespace(struct user_namespace_detail *detail, u64 raw)
{
	struct user_namespace *ns = KERNEL(user_namespace, raw);

	detail->level = READ(ns, level);
	detail->owner = READ(ns, owner.val);
	detail->group = READ(ns, group.val);
	detail->inum = READ(ns, ns.inum);
}

/* The start of union bpf_attr for BPF_PROG_LOAD, as linux/bpf.h fixes it. */
struct prog_load_attr {
	u32 type, instructions;
	u64 others[5];
	u8 name[BPF_NAME_BYTES];
};

static __always_inline void fill_bpf_attr(struct bpf_detail *detail, const void *from, bool user)
{
	struct prog_load_attr attr = {};

	if (read_memory(&attr, sizeof(attr), from, user))
		return;
	detail->type = attr.type;
	detail->instructions = attr.instructions;
	__builtin_memcpy(detail->name, attr.name, sizeof(detail->name));
}

static __always_inline void fill_bpf_map(struct bpf_detail *detail, u64 raw)
{
	struct bpf_map *map = KERNEL(bpf_map, raw);

	detail->type = READ(map, map_type);
	detail->key_size = READ(map, key_size);
	detail->value_size = READ(map, value_size);
	detail->max_entries = READ(map, max_entries);
	bpf_probe_read_kernel_str(detail->name, sizeof(detail->name), ADDRESS(map, name));
}

static __always_inline void fill_bpf_prog(struct bpf_detail *detail, u64 raw)
{
	struct bpf_prog *prog = KERNEL(bpf_prog, raw);
	struct bpf_prog_aux *aux = READ(prog, aux);

	detail->type = READ(prog, type);
	detail->instructions = READ(prog, len);
	bpf_probe_read_kernel_str(detail->name, sizeof(detail->name), ADDRESS(aux, name));
}

static __always_inline void fill_perf_event(struct perf_detail *detail, u64 raw)
{
	struct perf_event *event = KERNEL(perf_event, raw);
	const void *function = (void *)READ(event, attr.kprobe_func);

	detail->type = READ(event, attr.type);
	detail->config = READ(event, attr.config);
	detail->probe_offset = READ(event, attr.probe_offset);
	/* the field is in a union with config1, so it may be any number */
	if (bpf_probe_read_user_str(detail->function, sizeof(detail->function), function) < 0)
		detail->function[0] = 0;
}

static __always_inline void fill_module(struct module_detail *detail, u64 raw)
{
	struct module *module = KERNEL(module, raw);

	detail->taints = READ(module, taints);
	detail->signature = bpf_core_field_exists(module->sig_ok) ? READ(module, sig_ok) : SIGNATURE_UNKNOWN;
	bpf_probe_read_kernel_str(detail->name, sizeof(detail->name), ADDRESS(module, name));
}

static __always_inline void fill_load_info(struct module_detail *detail, u64 raw)
{
	struct load_info *info = KERNEL(load_info, raw);

	detail->signature = bpf_core_field_exists(info->sig_ok) ? READ(info, sig_ok) : SIGNATURE_UNKNOWN;
	bpf_probe_read_kernel_str(detail->name, sizeof(detail->name), READ(info, name));
}

/*
 * Describes the object that a value points to, and filters it. The record keeps the description if a candidate is left.
 */
static __noinline u64 collect_detail(struct hook_record *record, u32 index, u64 raw, u64 candidates)
{
	u32 slot, read, length = 0;
	struct value *value;
	bool user;
	void *to;

	if (index >= HOOK_VALUES_MAX)
		return 0;
	slot = config.objects[index].slot;
	if (slot >= HOOK_VALUES_MAX)
		return 0;
	read = config.values[slot].read;
	user = is_user_memory((void *)raw, config.values[slot].memory);
	to = reserve_bytes(record, DETAIL_CAPACITY);
	__builtin_memset(to, 0, DETAIL_CAPACITY);
	if (read <= READ_SOCKADDR) {
		length = sizeof(struct net_detail);
		if (!raw)
			;
		else if (read == READ_SOCK)
			fill_sock(to, raw);
		else if (read == READ_SOCKET)
			fill_socket(to, raw);
		else if (read == READ_SKB)
			fill_skb(to, raw);
		else
			fill_sockaddr(to, (void *)raw, user);
#ifdef POLICY_GROUP
		if (!has_net_rules(record, index, to))
			return 0;
#else
		if (config.objects[index].filtered) {
			candidates = filter_net(to, index, candidates);
			if (!candidates)
				return 0;
		}
#endif
	} else if (read == READ_CRED) {
		length = sizeof(struct cred_detail);
		if (raw)
			fill_cred(to, raw);
	} else if (read == READ_USER_NAMESPACE) {
		length = sizeof(struct user_namespace_detail);
		if (raw)
			fill_user_namespace(to, raw);
	} else if (read == READ_LOAD_INFO || read == READ_MODULE) {
		length = sizeof(struct module_detail);
		if (!raw)
			;
		else if (read == READ_MODULE)
			fill_module(to, raw);
		else
			fill_load_info(to, raw);
	} else if (read == READ_PERF_EVENT) {
		length = sizeof(struct perf_detail);
		if (raw)
			fill_perf_event(to, raw);
	} else {
		length = sizeof(struct bpf_detail);
		if (!raw)
			;
		else if (read == READ_BPF_ATTR)
			fill_bpf_attr(to, (void *)raw, user);
		else if (read == READ_BPF_MAP)
			fill_bpf_map(to, raw);
		else
			fill_bpf_prog(to, raw);
	}
	value = value_slot(record, slot);
	clear_value(value);
	commit_bytes(record, value, length, raw ? 0 : STRING_FAULT);
	return candidates;
}

#endif
