// A cache of BPF objects whose CO-RE relocations libbpf has already resolved for this kernel. libbpf compares the
// structs of each object with all types of the kernel, which is most of the cost of loading it. The result is the same
// for every copy of the object.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace polytrace {

struct ObjectBytes {
  std::vector<uint8_t> bytes;
  std::set<std::string> types;  // the names of the types that libbpf needs to relocate them; none if they are relocated
};

// Returns the bytes to open before these programs of the object are loaded. Until cache_relocated() is called, they are
// unrelocated.
ObjectBytes object_bytes(const std::string& name, const std::string& programs);

// Returns the bytes to open if only the maps of the object are used. Without relocations, libbpf reads no types of the
// kernel.
ObjectBytes object_bytes_for_maps(const std::string& name);

// Makes the global functions of the object static: the verifier then follows them from each caller. It refuses calls of
// global functions while preemption is disabled.
void hide_functions(std::vector<uint8_t>& bytes);

// The instructions of a program as libbpf has relocated them.
using GetInstructions = std::function<std::span<const bpf_insn>(const bpf_program*)>;

// Adds the instructions that libbpf has relocated to the cache. Call it after the object was loaded.
void cache_relocated(const std::string& name, const std::string& programs, bpf_object* loaded,
                     const GetInstructions& get_instructions);

// The instructions of a program that was not rewritten after its relocation.
std::span<const bpf_insn> program_instructions(const bpf_program* program);

}  // namespace polytrace
