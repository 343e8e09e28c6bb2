// Keeps what libbpf found out about this kernel's structs. libbpf compares the structs of each object with all types of the
// kernel, which is most of the cost of loading it. The result is the same for every further object of the kind.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace polytrace {

// Returns the bytes to open when these programs of the object will be loaded. They are as built until keep_relocated().
std::vector<uint8_t> object_bytes(const std::string& name, const std::string& programs);

// The instructions of a program as libbpf has relocated them.
using InstructionsOf = std::function<std::span<const bpf_insn>(const bpf_program*)>;

// Keeps the instructions that libbpf has relocated. Call it when the object was loaded.
void keep_relocated(const std::string& name, const std::string& programs, bpf_object* loaded,
                    const InstructionsOf& instructions_of);

// For programs that nobody has changed since.
std::span<const bpf_insn> own_instructions(const bpf_program* program);

}  // namespace polytrace
