/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Compiled and never linked: one variable for each struct and enum of abi.h, so that the object's BTF has them all.
 * scripts/gen-layout.mjs reads that BTF and refuses an abi.h with a name that is missing here.
 */
#include "abi.h"

#define KEEP(kind, name) kind name layout_##name

KEEP(enum, abi_limit);
KEEP(enum, event_type);
KEEP(enum, event_flag);
KEEP(enum, text_flag);
KEEP(enum, arg_type);
KEEP(enum, int_op);
KEEP(enum, sensor_hook);

KEEP(struct, event_header);
KEEP(struct, process_key);
KEEP(struct, text_ref);
KEEP(struct, process_creds);
KEEP(struct, process_namespaces);
KEEP(struct, event_exec);
KEEP(struct, event_fork);
KEEP(struct, event_exit);
KEEP(struct, arg_value);
KEEP(struct, event_hook);

KEEP(struct, int_test);
KEEP(struct, int_group);
KEEP(struct, text_verdict);
KEEP(struct, text_table);
KEEP(struct, arg_config);
KEEP(struct, binary_test);
KEEP(struct, hook_config);
KEEP(struct, trie_key);

KEEP(struct, control);
KEEP(struct, hook_counters);
KEEP(struct, binary_bits);
KEEP(struct, binary_sets);
