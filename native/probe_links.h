// One program on many kprobes or uprobes, with a link for each. It does not use libbpf's links, because removing a probe takes the
// kernel tens of milliseconds: hundreds of probes are silenced first and removed later.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace polytrace {

struct Probe {
  bool is_user = false;
  std::string name;      // a function of the kernel, or the path of a program
  uint64_t offset = 0;   // bytes from the start of the program's file
  uint64_t counter = 0;  // the same, of the counter; 0 when there is none
  bool at_return = false;
};

void close_all(const std::vector<int>& descriptors) noexcept;

class ProbeLinks {
 public:
  ProbeLinks() = default;
  ~ProbeLinks() { close_now(); }
  ProbeLinks(ProbeLinks&& other) noexcept { *this = std::move(other); }
  ProbeLinks& operator=(ProbeLinks&& other) noexcept;
  ProbeLinks(const ProbeLinks&) = delete;
  ProbeLinks& operator=(const ProbeLinks&) = delete;

  // Returns the descriptor of the link, or a negative errno.
  int add(int program, const Probe& probe, uint64_t cookie);
  // The links' descriptors.
  const std::vector<int>& links() const { return links_; }
  // Removes the last link.
  void drop_last();
  // No program runs when it returns. Returns the perf events: closing them takes the kernel tens of milliseconds each.
  std::vector<int> silence() noexcept;

 private:
  void close_now() noexcept;

  std::vector<int> links_;
  std::vector<int> events_;  // perf events; each is a probe
};

}  // namespace polytrace
