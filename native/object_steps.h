// Steps that every BPF object takes: it is opened, configured and loaded, and its maps are filled. All throw Failure.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "handles.h"

namespace polytrace {

// libbpf keeps no reference to `bytes`.
ObjectPtr open_object(const std::string& name, const std::vector<uint8_t>& bytes);

// Descriptors that libbpf needs for a moment when it tries what the kernel can do.
constexpr size_t DESCRIPTORS_OF_LIBBPF = 8;

// Throws EMFILE or ENFILE unless so many more descriptors can be opened. libbpf remembers for the whole process that the kernel
// lacks a feature, also when only the descriptor was missing that it needed to try the feature.
void need_descriptors(size_t count);

// Throws `code` with `what` and the log, where the kernel refuses the object.
void load_object(bpf_object* object, const char* code, const std::string& what);

bpf_map* map_named(bpf_object* object, const char* name);
bpf_program* program_named(bpf_object* object, const char* name);

// The object's only .rodata variable is its configuration.
void set_rodata(bpf_object* object, std::span<const uint8_t> bytes);

// `entries` are keys and values, one after the other.
void put_entries(bpf_map* map, std::span<const uint8_t> entries);

// Throws MAP_SETUP with `what` when `err` is not 0.
void check_setup(int err, const char* what);

// `object` was opened from the same bytes as `owner`, and uses the maps of `owner`.
void share_maps(bpf_object* object, bpf_object* owner);

void set_max_entries(bpf_object* object, const char* map, uint32_t count, const char* what);

}  // namespace polytrace
