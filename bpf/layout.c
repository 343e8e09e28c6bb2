/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One variable for each struct and enum of abi.h, so that the BTF of the object contains all of them. The object is
 * never linked. scripts/gen-layout.mjs reads its BTF, and fails if a name of abi.h is missing here.
 */
#include "abi.h"

#define KEEP(kind, name) kind name layout_##name

KEEP(enum, action_flag);
KEEP(enum, notify_kind);
KEEP(enum, assignment_kind);
KEEP(enum, abi_limit);
KEEP(enum, record_limit);
KEEP(enum, module_signature);
KEEP(enum, event_type);
KEEP(enum, event_flag);
KEEP(enum, process_flag);
KEEP(enum, string_flag);
KEEP(enum, value_read);
KEEP(enum, value_source);
KEEP(enum, value_memory);
KEEP(enum, value_width);
KEEP(enum, syscall_bit);
KEEP(enum, syscall_registers);
KEEP(enum, pair);
KEEP(enum, scratch_guard);
KEEP(enum, hook_shape);
KEEP(enum, int_op);
KEEP(enum, process_field);
KEEP(enum, rate_scope);
KEEP(enum, stack_kind);
KEEP(enum, socket_action);
KEEP(enum, address_side);
KEEP(enum, sensor_hook);
KEEP(enum, group_limit);
KEEP(enum, group_set_index);
KEEP(enum, group_flag);
KEEP(enum, group_test_kind);
KEEP(enum, cgroup_kind);
KEEP(enum, running_flag);
KEEP(enum, scope_tracking);
KEEP(enum, argument_tracking);
KEEP(enum, scope_cache);
KEEP(enum, string_hash);
KEEP(enum, negative_cache);

KEEP(struct, event_header);
KEEP(struct, process_key);
KEEP(struct, string_ref);
KEEP(struct, process_creds);
KEEP(struct, process_namespaces);
KEEP(struct, event_exec);
KEEP(struct, event_fork);
KEEP(struct, running_process);
KEEP(struct, event_exit);
KEEP(struct, event_cgroup);
KEEP(struct, event_cgroup_gone);
KEEP(struct, event_throttle);
KEEP(struct, value);
KEEP(struct, event_hook);
KEEP(struct, ima_hash);
KEEP(struct, net_detail);
KEEP(struct, cred_detail);
KEEP(struct, user_namespace_detail);
KEEP(struct, bpf_detail);
KEEP(struct, perf_detail);
KEEP(struct, module_detail);

KEEP(struct, resolve_step);
KEEP(struct, table);
KEEP(struct, value_config);
KEEP(struct, int_test);
KEEP(struct, int_group);
KEEP(struct, match_entry);
KEEP(struct, string_table);
KEEP(struct, substring_pass);
KEEP(struct, object_config);
KEEP(struct, process_test);
KEEP(struct, scope_test);
KEEP(struct, change_test);
KEEP(struct, selector_actions);
KEEP(struct, assignment);
KEEP(struct, rate_key);
KEEP(struct, rate);
KEEP(struct, hook_config);
KEEP(struct, enforcer_config);
KEEP(struct, trie_key);
KEEP(struct, int_key);
KEEP(struct, address_key);
KEEP(struct, inode_key);
KEEP(struct, automaton_state);

KEEP(struct, control);
KEEP(struct, hook_counters);
KEEP(struct, sensor_config);
KEEP(struct, cgroup_rate);
KEEP(struct, process_sets);
KEEP(struct, scope_set);
KEEP(struct, group_header);
KEEP(struct, group_set);
KEEP(struct, group_rule);
KEEP(struct, group_test);
KEEP(struct, cgroup_scopes);
KEEP(struct, negative_entry);
KEEP(struct, cgroup_key_more);
KEEP(struct, process_bits);
KEEP(struct, process_state);
KEEP(struct, scan_request);
KEEP(struct, process_key_more);
KEEP(struct, pid_key);
