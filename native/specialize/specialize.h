// A hook's program is generic: its configuration says what it does. Before the kernel loads it, the program is rewritten for the
// configuration of one hook. The verifier would also leave out the branches that the configuration excludes, but not what leads to
// them: reading the configuration, comparing it, and jumping.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace polytrace {

// The programs of one object. It must live until the object was loaded by the same thread. There is one at a time for each thread.
class Specialization {
 public:
  // `bytes` is what the map has that the kernel freezes.
  Specialization(const bpf_object* object, std::span<const uint8_t> bytes);
  ~Specialization();
  Specialization(const Specialization&) = delete;
  Specialization& operator=(const Specialization&) = delete;

  // For the handler of a section: rewrites the program, where this thread has chosen so. Returns 0 or a negative errno.
  static int rewrite(bpf_program* program, bpf_prog_load_opts* opts);

  // The instructions that a program of the object had before.
  std::span<const bpf_insn> original(const bpf_program* program) const;

 private:
  // The kernel reads it while the program is loaded.
  struct Kept {
    std::vector<bpf_insn> original;
    std::vector<bpf_func_info> functions;
    std::vector<bpf_line_info> lines;
  };

  int rewrite_one(bpf_program* program, bpf_prog_load_opts* opts);

  const bpf_object* object_;
  std::span<const uint8_t> bytes_;
  std::map<const bpf_program*, Kept> kept_;
};

}  // namespace polytrace
