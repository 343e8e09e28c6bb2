// Processes that already run: the sets that they belong to, what they are, and the files of descriptors.
#include <bpf/bpf.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <string>

#include "abi_types.h"
#include "error.h"
#include "kernel_side.h"
#include "object_steps.h"

namespace polytrace {

namespace {

// Each scan goes down at least one generation. More scans are for processes that came and went meanwhile.
constexpr uint32_t SCANS_MAX = 4096;

constexpr uint32_t FIRST = 0;

const std::string SOCKETS_PIN = std::string(SENSOR_PIN) + "sockets";

uint64_t boot_time() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void store(uint32_t& word, uint32_t value) {
  std::atomic_ref<uint32_t>(word).store(value, std::memory_order_seq_cst);
}

// Returns whether it had any of them.
bool take_out(process_sets& from, const process_sets& sets) {
  bool any = false;
  for (int i = 0; i < PROCESS_WORDS; i++) {
    any = any || (from.words[i] & sets.words[i]) != 0;
    from.words[i] &= ~sets.words[i];
  }
  return any;
}

void store_sets(uint64_t* words, const process_sets& sets) {
  for (int i = 0; i < PROCESS_WORDS; i++) {
    std::atomic_ref<uint64_t>(words[i]).store(sets.words[i], std::memory_order_seq_cst);
  }
}

template <typename Key>
void clear_entries(int fd, const process_sets& sets) {
  Key key = {};
  bool first = true;
  while (bpf_map_get_next_key(fd, first ? nullptr : &key, &key) == 0) {
    first = false;
    process_bits bits = {};
    if (bpf_map_lookup_elem(fd, &key, &bits) != 0) continue;
    const bool own = take_out(bits.own, sets);
    const bool parent = take_out(bits.parent, sets);
    if (own || parent) bpf_map_update_elem(fd, &key, &bits, BPF_EXIST);
  }
}

}  // namespace

// The sensor forgets a process when the kernel frees it.
void KernelSide::keep_until_freed() {
  must_be_open();
  if (!frees_attached_) attach_sensor("handle_free");
  frees_attached_ = true;
}

void KernelSide::request_scan(const scan_request& request) {
  const int err = bpf_map_update_elem(bpf_map__fd(sensor_map("scan_request")), &FIRST, &request, BPF_ANY);
  if (err != 0) throw Failure{"SCAN", "cannot pass on which processes to look for", err};
}

// Visits every process once; returns how many it changed.
uint32_t KernelSide::scan_once() {
  load_scan();
  store(control_.as<control>()->scan_changes, 0);
  LogScope log;
  const LinkPtr link(bpf_program__attach_iter(program_named(scan_.get(), "scan_processes"), nullptr));
  if (!link) throw Failure{"SCAN", "cannot list the processes", errno, log.text()};
  const Fd iterator(bpf_iter_create(bpf_link__fd(link.get())));
  if (iterator.value < 0) throw Failure{"SCAN", "cannot list the processes", iterator.value, log.text()};
  char ignored[64];
  ssize_t got;
  do {
    got = read(iterator.value, ignored, sizeof(ignored));
  } while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
  if (got < 0) throw Failure{"SCAN", "cannot list the processes", errno};
  return std::atomic_ref<uint32_t>(control_.as<control>()->scan_changes).load();
}

// The sets of a process may depend on a process that the scan visits later.
void KernelSide::scan_until_still() {
  for (uint32_t i = 0; i < SCANS_MAX; i++) {
    if (scan_once() == 0) return;
  }
  throw Failure{"SCAN", "processes come and go faster than they can be looked at"};
}

// The scan does not visit processes of pid namespaces that are not below this one, but the table has entries for them.
void KernelSide::clear_unseen(const process_sets& sets) {
  clear_entries<uint32_t>(bpf_map__fd(sensor_map("process_bits")), sets);
  clear_entries<process_key_more>(bpf_map__fd(sensor_map("process_bits_more")), sets);
}

void KernelSide::use_process_sets() {
  keep_until_freed();
  store(control_.as<control>()->keeps_bits, 1);
}

void KernelSide::set_kinds(const process_sets& followed, const process_sets& trusted, const process_sets& prefixed) {
  const std::scoped_lock lock(mutex_);
  auto* shared = control_.as<control>();
  if (shared == nullptr) throw Failure{"CLOSED", "the session is closed"};
  store_sets(shared->follow, followed);
  store_sets(shared->trusted, trusted);
  store_sets(shared->prefixed, prefixed);
}

void KernelSide::clear_sets(const process_sets& sets) {
  request_scan({.clear = sets, .add = {}, .since = 0});
  scan_until_still();
  clear_unseen(sets);
  request_scan({});
}

void KernelSide::begin_scan(const process_sets& sets) {
  load_scan();
  request_scan({.clear = {}, .add = sets, .since = 0});
  store(control_.as<control>()->scanning, 1);
  // without kprobes it is not known what a process was before an exec that is under way just now
  LogScope log;
  prepare_link_.reset(bpf_program__attach(program_named(scan_.get(), "handle_prepare")));
}

void KernelSide::finish_scan(const process_sets& sets) {
  must_be_open();
  const auto end = [&] {
    store(control_.as<control>()->scanning, 0);
    prepare_link_.reset();
  };
  try {
    request_scan({.clear = {}, .add = sets, .since = boot_time()});
    scan_until_still();
  } catch (...) {
    end();
    throw;
  }
  end();
  request_scan({});
}

void KernelSide::keep_state() {
  keep_until_freed();
  uint32_t& keeps = control_.as<control>()->keeps_state;
  if (keeps != 0) return;
  std::atomic_ref<uint64_t>(control_.as<control>()->state_since).store(boot_time(), std::memory_order_seq_cst);
  store(keeps, 1);
  try {
    scan_once();
  } catch (...) {
    store(keeps, 0);
    throw;
  }
}

void KernelSide::protect_ancestors() {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("protect_ancestors")), &run);
  if (err != 0 || run.retval == 0) throw Failure{"PROTECT", "cannot protect this process from its policies", err};
}

// An owner that was noted while nobody watched may be of a socket that had the same address before.
void KernelSide::forget_sockets() {
  const int map = bpf_map__fd(sensor_map("socket_owners"));
  uint64_t socket = 0;
  while (bpf_map_get_next_key(map, nullptr, &socket) == 0) bpf_map_delete_elem(map, &socket);
}

void KernelSide::set_tracks_sockets(bool tracks) {
  must_be_open();
  pins_.unpin(SOCKETS_PIN);
  sockets_links_.clear();
  forget_sockets();
  if (!tracks) return;
  LogScope log;
  LinkPtr link(bpf_program__attach(sensor_program("handle_socket_freed")));
  if (!link) throw Failure{"SOCKETS", "cannot see which sockets the kernel frees", errno, log.text()};
  pin_link(bpf_link__fd(link.get()), SOCKETS_PIN);
  sockets_links_.push_back(std::move(link));
}

std::optional<inode_key> KernelSide::inode_of(uint32_t fd) {
  const int map = bpf_map__fd(sensor_map("told_inode"));
  uint64_t arguments[1] = {fd};
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("tell_inode")), &run);
  if (err != 0) throw Failure{"INODE", "cannot ask the kernel for a file's inode", err};
  inode_key found = {};
  if (run.retval != 0 || bpf_map_lookup_elem(map, &FIRST, &found) != 0) return std::nullopt;
  return found;
}

}  // namespace polytrace
