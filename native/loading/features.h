// Finds out which features the running kernel supports, by using each of them once.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace polytrace {

// Names of features, each with 0 or the negative errno of the attempt: btf, ownBtf, ringBuffer, tpBtf, directRead,
// preemptDisable, pointerParams, fentry, kprobe, kprobeMulti, attachCookie, lsm, fmodRet, fmodRetListed, uprobe,
// uprobeMulti, uprobeRegisters, tracepoint. Throws Failure.
using Features = std::vector<std::pair<const char*, int>>;
Features try_features();

// Returns whether the kernel has BTF of its own. Programs with typed targets, iterators among them, need it.
bool kernel_has_own_btf();

// Returns true if a program may call global functions while preemption is disabled: Linux 6.15. Tries it once.
bool allows_global_calls_without_preemption();

}  // namespace polytrace
