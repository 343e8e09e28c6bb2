// Attaches one program to many kprobes or uprobes, with a link for each. It does not use libbpf's links, because
// closing a perf event takes the kernel tens of milliseconds. So hundreds of probes are detached first, and their perf
// events are closed later.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace polytrace {

struct Probe {
  bool is_user = false;
  std::string name;      // a function of the kernel, or the path of a program
  uint64_t offset = 0;   // bytes from the start of the program's file
  uint64_t counter = 0;  // the offset of the counter; 0 if there is none
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
  // The same with one descriptor: the kernel's link holds the perf event. Detaching it takes longer.
  int add_single(int program, const Probe& probe);
  // The links' descriptors.
  const std::vector<int>& links() const { return links_; }
  // Removes the last link of add().
  void drop_last();
  // Detaches the program from all probes. When it returns, no program runs. Returns the perf events, which the caller
  // must close.
  std::vector<int> detach() noexcept;

 private:
  void close_now() noexcept;

  std::vector<int> links_;
  std::vector<int> events_;  // perf events of add(); each is a probe
};

}  // namespace polytrace
