// Loads programs that the kernel checks against a BTF type: fentry, fexit, fmod_ret, lsm, tp_btf, iter. For each object
// with such a program, libbpf would read all types of the kernel again, which takes longer than loading it. In bpf/,
// these programs are therefore in sections that libbpf does not know (TYPED_SEC), and this file registers handlers for
// these sections. Other programs of hooks also have such sections (HOOK_SEC), because a handler can rewrite a program
// while it is loaded (specialization.h).
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <string>

#include "btf/btf_types.h"

namespace polytrace {

// Finds the BTF id of the target of a program with this attach type; 0 if there is none.
uint32_t find_target_type(BtfTypes& types, bpf_attach_type attach, const std::string& name);

// Registers the handlers of the sections. Call it before an object is opened; further calls do nothing.
void register_typed_sections();

// The target types of the programs of one object, for programs whose section does not name the target. It must live
// until the same thread has loaded the object. Each thread can have one at a time.
class TypedTargets {
 public:
  TypedTargets();
  ~TypedTargets();
  TypedTargets(const TypedTargets&) = delete;
  TypedTargets& operator=(const TypedTargets&) = delete;

  // Finds the function or security hook of this name, also in the kernel's modules. Returns 0 or a negative errno.
  int select_target(bpf_program* program, const std::string& name);
  // The BTF id that was selected; 0 if there is none.
  uint32_t target_id(const bpf_program* program) const;

 private:
  std::map<const bpf_program*, uint32_t> ids_;
};

}  // namespace polytrace
