// Specializes the generic programs of a hook for its configuration while they are loaded (optimizer/optimize.h). libbpf
// calls the handler of a program's section before it loads the program, with CO-RE relocations and map descriptors
// already resolved.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace polytrace {

// The specialization of the programs of one object. It must live until the same thread has loaded the object. Each
// thread can have one at a time.
class Specialization {
 public:
  // `bytes` is the configuration: the contents of the map that the kernel freezes. Without `is_enabled`, the programs
  // stay generic.
  Specialization(const bpf_object* object, std::span<const uint8_t> bytes, bool is_enabled);
  ~Specialization();
  Specialization(const Specialization&) = delete;
  Specialization& operator=(const Specialization&) = delete;

  // For the handler of a section: rewrites the program if this thread has a Specialization. Returns 0 or a negative
  // errno.
  static int rewrite(bpf_program* program, bpf_prog_load_opts* opts);

  // The instructions of a program of the object before it was rewritten.
  std::span<const bpf_insn> original_instructions(const bpf_program* program) const;

 private:
  // The kernel reads the records while the program is loaded.
  struct Rewritten {
    std::vector<bpf_insn> original;
    std::vector<bpf_func_info> functions;
    std::vector<bpf_line_info> lines;
  };

  int rewrite_program(bpf_program* program, bpf_prog_load_opts* opts);

  const bpf_object* object_;
  std::span<const uint8_t> bytes_;
  std::map<const bpf_program*, Rewritten> rewritten_;
};

}  // namespace polytrace
