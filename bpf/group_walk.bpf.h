/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The state of the walk through the rules of a group that may match; see group.bpf.h. */
#ifndef POLYTRACE_GROUP_WALK_BPF_H
#define POLYTRACE_GROUP_WALK_BPF_H

#include "abi.h"

enum { FACTS_SETS = 1, FACTS_SCOPES = 2 };

/* In memory, so that the verifier does not follow the walk for each value of it. */
struct group_walk {
	u64 summary; /* words that may still have rules */
	u64 word; /* rules of the current word that are left */
	u64 process[2 * PROCESS_WORDS]; /* with FACTS_SETS: the sets of the process, then those of its parent */
	u64 scopes[SCOPE_WORDS]; /* with FACTS_SCOPES */
	u64 frame; /* of the call */
	u64 socket; /* the argument that TrackSock and UntrackSock name: the address of a struct sock */
	u32 first_set, second_set;
	u32 net_set; /* the rules that a port leads to */
	u32 pad0;
	u32 index; /* of the current word */
	u32 facts; /* facts about the process that are known so far */
	u32 knows_cgroup;
	u32 hook; /* of the current rule */
	u32 decided_hook; /* a rule of this hook has matched, or is not enabled; its other rules are skipped */
	u32 test, tests_end;
	u32 is_hit; /* an alternative holds */
	u32 rule; /* the current one */
	u8 selector, flags; /* of the current rule */
	u8 stacks; /* of the current rule: enum stack_kind, ORed */
	u8 waits; /* the current rule matches; its event waits for the stacks of the call */
	u8 has_stacks; /* the record has the stacks of the call */
	u8 pad[3];
	s32 override_value; /* what the function returns instead of running; 0: it runs */
	u32 override_addition; /* of the rule with this value */
	u32 used; /* bytes of the record's body without the stacks */
	u32 used_with_stacks;
	struct string_ref kernel_stack, user_stack; /* with has_stacks */
};

#endif
