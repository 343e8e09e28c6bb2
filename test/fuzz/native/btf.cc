// libFuzzer: reads the input as a file with types, and asks everything that the addon asks about them.
#include <bpf/btf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "error.h"
#include "describe_type.h"
#include "types.h"

using namespace polytrace;

namespace {

// One file in memory for all inputs.
int input_file() {
  static const int fd = memfd_create("types", 0);
  return fd;
}

bool write_input(const uint8_t* data, size_t size) {
  const int fd = input_file();
  return ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == static_cast<ssize_t>(size);
}

// What the checks of policies do with a type: members of unnamed members take their place.
void walk(const btf* types, uint32_t id, unsigned depth) {
  const TypeDescription facts = describe_type(types, id);
  if (facts.id != 0 && btf__type_by_id(types, facts.id) == nullptr) std::abort();
  if (depth == 0) return;
  for (const NamedType& each : prototype_params(types, facts.prototype)) walk(types, each.type, depth - 1);
  size_t left = 50;
  for (const NamedType& each : composite_members(types, facts.id)) {
    if (left-- == 0) break;
    walk(types, each.type, depth - 1);
  }
  if (facts.target != 0) walk(types, facts.target, depth - 1);
}

void ask(BtfTypes& types) {
  const btf* own = types.get();
  const uint32_t end = btf__type_cnt(own);
  for (uint32_t id = 0; id < end && id < 200; id++) walk(own, id, 2);
  walk(own, end, 1);
  for (const uint32_t kind : {uint32_t{BTF_KIND_FUNC}, uint32_t{BTF_KIND_STRUCT}, uint32_t{BTF_KIND_TYPEDEF}}) {
    for (const std::string_view name : type_names(own, kind)) {
      const uint32_t found = types.find(name, kind);
      if (found == 0) std::abort();
      if (kind == BTF_KIND_FUNC) walk(own, return_type(own, function_prototype(own, found)), 1);
    }
  }
  if (types.bytes() == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  install_log();
  if (!write_input(data, size)) return -1;
  try {
    ask(*BtfTypes::load_file("/proc/self/fd/" + std::to_string(input_file())));
  } catch (const Failure& failure) {
    if (failure.code != "BTF_UNREADABLE") std::abort();
  }
  return 0;
}
