// Programs that the kernel checks against a type of its own: fentry, fexit, fmod_ret, lsm, tp_btf, iter. For each object with one
// of them, libbpf would read all types of the kernel again, which takes longer than the kernel's part of loading it. In bpf/, these
// programs are therefore in sections that libbpf does not know (TYPED_SEC), and this file tells libbpf how to load them. Other programs
// of hooks are, too (HOOK_SEC), because only then can a program be rewritten when it is loaded (specialize/).
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <string>

#include "types.h"

namespace polytrace {

// The id of what programs of this kind are attached to; 0 where there is none.
uint32_t find_target_type(Types& types, bpf_attach_type attach, const std::string& name);

// Tells libbpf of the sections. Call it before an object is opened; further calls do nothing.
void register_typed_sections();

// The types that the programs of one object are loaded for, unless their section has the name of one. It must live until the object
// was loaded by the same thread. There is one at a time for each thread.
class TypedTargets {
 public:
  TypedTargets();
  ~TypedTargets();
  TypedTargets(const TypedTargets&) = delete;
  TypedTargets& operator=(const TypedTargets&) = delete;

  // Finds the function or security hook of this name, also in the kernel's modules. Returns 0 or a negative errno.
  int choose(bpf_program* program, const std::string& name);
  // The type that was chosen; 0 where there is none.
  uint32_t of(const bpf_program* program) const;

 private:
  std::map<const bpf_program*, uint32_t> ids_;
};

}  // namespace polytrace
