// A libFuzzer target: reads the input as a file with BTF, and reads from it all that the addon can read.
#include <bpf/btf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "btf/btf_types.h"
#include "btf/type_description.h"

using namespace polytrace;

namespace {

// One file in memory for all inputs.
int open_input() {
  static const int fd = memfd_create("types", 0);
  return fd;
}

bool write_input(const uint8_t* data, size_t size) {
  const int fd = open_input();
  return ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == static_cast<ssize_t>(size);
}

// Reads a type and the types that it refers to, down to `depth`.
void read_type(const btf* types, uint32_t id, unsigned depth) {
  const TypeDescription description = describe_type(types, id);
  if (description.id != 0 && btf__type_by_id(types, description.id) == nullptr) std::abort();
  if (depth == 0) return;
  for (const NamedType& each : prototype_params(types, description.id)) read_type(types, each.type, depth - 1);
  size_t left = 50;
  for (const NamedType& each : composite_members(types, description.id)) {
    if (left-- == 0) break;
    read_type(types, each.type, depth - 1);
  }
  if (description.target != 0) read_type(types, description.target, depth - 1);
}

void read_all(BtfTypes& types) {
  const btf* own = types.get();
  const uint32_t end = btf__type_cnt(own);
  for (uint32_t id = 0; id < end && id < 200; id++) read_type(own, id, 2);
  read_type(own, end, 1);
  for (const uint32_t kind : {uint32_t{BTF_KIND_FUNC}, uint32_t{BTF_KIND_STRUCT}, uint32_t{BTF_KIND_TYPEDEF}}) {
    for (const std::string_view name : type_names(own, kind)) {
      const uint32_t found = types.find(name, kind);
      if (found == 0) std::abort();
      if (kind == BTF_KIND_FUNC) read_type(own, return_type(own, function_prototype(own, found)), 1);
    }
  }
  if (types.bytes() == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  install_log();
  if (!write_input(data, size)) return -1;
  try {
    read_all(*BtfTypes::load_file("/proc/self/fd/" + std::to_string(open_input())));
  } catch (const Failure& failure) {
    if (failure.code != "BTF_UNREADABLE") std::abort();
  }
  return 0;
}
