// The steps of loading any BPF object: open it, configure it, load it, fill its maps. All functions throw Failure.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/handles.h"
#include "loading/relocation_cache.h"

namespace polytrace {

// libbpf keeps no reference to the bytes.
ObjectPtr open_object(const std::string& name, const ObjectBytes& unopened);

// The number of descriptors that libbpf needs temporarily while it probes features of the kernel.
constexpr size_t LIBBPF_DESCRIPTORS = 8;

// The number of descriptors that this process keeps for files and connections. Programs are refused before it has none.
constexpr size_t SPARE_DESCRIPTORS = 32;

// Throws EMFILE or ENFILE unless `count` more descriptors can be opened. Without a free descriptor, libbpf's probe of a
// feature fails, and libbpf then assumes for the rest of the process that the kernel lacks the feature.
void require_descriptors(size_t count);

// Throws `code` with `what` and the log if the kernel refuses the object.
void load_object(ObjectPtr& object, const char* code, const std::string& what);

bpf_map* find_map(bpf_object* object, const char* name);
bpf_program* find_program(bpf_object* object, const char* name);

// The object's only .rodata variable is its configuration.
void set_rodata(bpf_object* object, std::span<const uint8_t> bytes);

// `entries` are keys and values, one after the other.
void put_entries(bpf_map* map, std::span<const uint8_t> entries);

// Throws MAP_SETUP with `what` when `err` is not 0.
void check_setup(int err, const char* what);

// Makes `object` use the maps of `owner`. Both were opened from the same bytes.
void share_maps(bpf_object* object, bpf_object* owner);

void set_max_entries(bpf_object* object, const char* map, uint32_t count, const char* what);

}  // namespace polytrace
