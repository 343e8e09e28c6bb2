// One program on many kprobes or uprobes, with a link for each. libbpf's own links are not used: taking a probe away keeps the
// kernel waiting for tens of milliseconds, so that hundreds are first silenced, and then taken away by another thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace polytrace {

struct Probe {
  bool is_user = false;
  std::string name;      // the function of the kernel, or the path of the program
  uint64_t offset = 0;   // in the program's file
  uint64_t counter = 0;  // in the program's file; 0: none
  bool at_return = false;
};

void close_all(const std::vector<int>& descriptors);

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
  // Descriptors of the links.
  const std::vector<int>& links() const { return links_; }
  // Takes back the last one.
  void drop_last();
  // No program runs when it returns. Returns the perf events: closing them takes the kernel tens of milliseconds each.
  std::vector<int> silence();

 private:
  void close_now();

  std::vector<int> links_;
  std::vector<int> events_;  // of perf: each is a probe
};

}  // namespace polytrace
