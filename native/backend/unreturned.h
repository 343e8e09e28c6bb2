// Calls whose return was not seen: their records stay in the table `pending` of bpf/hook.bpf.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/abi_types.h"
#include "base/handles.h"

namespace polytrace {

// Adds the tables that keep the values of a program's entries until the return, by their ids. -1 is no program.
void collect_pending_maps(int program, std::map<uint32_t, Fd>& pending);

// The calls in the table: they have not returned, or their return was not seen. Throws std::bad_alloc.
std::vector<event_hook> list_pending(int map);

// Removes calls of these programs that cannot return any more, and counts them as lost. Their thread has ended, or has
// newer calls: the programs replace such a record only if a later call has the same stack frame, and the kernel chooses
// frames at random. `counters` has HOOKS_MAX elements. Does nothing outside the initial pid namespace, where the ids of
// threads have another meaning.
void remove_unreturned(std::span<const Fd> programs, hook_counters* counters) noexcept;

}  // namespace polytrace
