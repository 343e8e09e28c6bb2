#include "attach/probe_links.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

#include "base/kernel_file.h"
#include "base/parallel.h"

namespace polytrace {

void close_all(const std::vector<int>& descriptors) noexcept {
  run_in_parallel(descriptors.size(), [&](size_t i) { close(descriptors[i]); });
}

namespace {

constexpr int COUNTER_SHIFT = 32;  // shift in the event's config: format/ref_ctr_offset of the PMU

std::string pmu_file(bool is_user, const char* name) {
  return std::string("/sys/bus/event_source/devices/") + (is_user ? "uprobe" : "kprobe") + "/" + name;
}

// Reads the number in a file such as `type`, or after the colon of `format/retprobe`. Returns a negative errno if there
// is none.
int read_pmu_number(bool is_user, const char* name) {
  std::string text;
  const int error = read_kernel_file(pmu_file(is_user, name), text);
  if (error != 0) return error == -ENOENT ? -EOPNOTSUPP : error;
  const size_t digits = text.find_first_of("0123456789");
  return digits == std::string::npos ? -EOPNOTSUPP : std::stoi(text.substr(digits));
}

// Caches the number, because the kernel never changes it. A failure is not cached, because a limit may have been the
// reason.
int pmu_number(std::atomic<int>& cached, bool is_user, const char* name) {
  if (cached < 0) cached = read_pmu_number(is_user, name);
  return cached;
}

// Returns a descriptor or a negative errno.
int open_event(const Probe& probe) {
  static std::atomic<int> types[2] = {-1, -1};
  static std::atomic<int> return_bits[2] = {-1, -1};
  const int type = pmu_number(types[probe.is_user], probe.is_user, "type");
  if (type < 0) return type;
  const int return_bit = probe.at_return ? pmu_number(return_bits[probe.is_user], probe.is_user, "format/retprobe") : 0;
  if (return_bit < 0) return return_bit;
  perf_event_attr attr = {};
  attr.size = sizeof(attr);
  attr.type = static_cast<uint32_t>(type);
  attr.config = (probe.at_return ? uint64_t{1} << return_bit : 0) | probe.counter << COUNTER_SHIFT;
  attr.config1 = reinterpret_cast<uint64_t>(probe.name.c_str());
  attr.config2 = probe.offset;
  const int fd = static_cast<int>(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
  return fd < 0 ? -errno : fd;
}

}  // namespace

ProbeLinks& ProbeLinks::operator=(ProbeLinks&& other) noexcept {
  std::swap(links_, other.links_);
  std::swap(events_, other.events_);
  return *this;
}

int ProbeLinks::add(int program, const Probe& probe, uint64_t cookie) {
  // from here on, no descriptor can leak
  events_.reserve(events_.size() + 1);
  links_.reserve(links_.size() + 1);
  const int event = open_event(probe);
  if (event < 0) return event;
  LIBBPF_OPTS(bpf_link_create_opts, opts);
  opts.perf_event.bpf_cookie = cookie;
  const int link = bpf_link_create(program, event, BPF_PERF_EVENT, &opts);
  if (link < 0) {
    close(event);
    return link;
  }
  events_.push_back(event);
  links_.push_back(link);
  return link;
}

int ProbeLinks::add_single(int program, const Probe& probe) {
  links_.reserve(links_.size() + 1);
  const int event = open_event(probe);
  if (event < 0) return event;
  const int link = bpf_link_create(program, event, BPF_PERF_EVENT, nullptr);
  close(event);
  if (link >= 0) links_.push_back(link);
  return link;
}

void ProbeLinks::drop_last() {
  close(links_.back());
  close(events_.back());
  links_.pop_back();
  events_.pop_back();
}

// Closing a link waits until no CPU runs its program.
std::vector<int> ProbeLinks::detach() noexcept {
  run_in_parallel(links_.size(), [this](size_t i) { close(links_[i]); });
  links_.clear();
  return std::exchange(events_, {});
}

void ProbeLinks::close_now() noexcept { close_all(detach()); }

}  // namespace polytrace
