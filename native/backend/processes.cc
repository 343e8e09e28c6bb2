// Handles already running processes: their process sets and state. Also tracks socket owners and reads inodes of
// descriptors.
#include <bpf/bpf.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "backend/bpf_backend.h"
#include "backend/task_iterator.h"
#include "base/abi_types.h"
#include "base/error.h"
#include "loading/object_steps.h"

namespace polytrace {

namespace {

// Each scan propagates sets down at least one generation. Further scans are for processes that started or ended in
// between.
constexpr uint32_t SCANS_MAX = 4096;

constexpr uint32_t FIRST = 0;

const std::string SOCKETS_PIN = std::string(SENSOR_PIN) + "sockets";

uint64_t boot_time() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void store_u32(uint32_t& field, uint32_t value) {
  std::atomic_ref<uint32_t>(field).store(value, std::memory_order_seq_cst);
}

// Returns whether `from` had any of the sets.
bool remove_sets(process_sets& from, const process_sets& sets) {
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
    const bool own = remove_sets(bits.own, sets);
    const bool parent = remove_sets(bits.parent, sets);
    if (own || parent) bpf_map_update_elem(fd, &key, &bits, BPF_EXIST);
  }
}

}  // namespace

// Makes the sensor delete the entries of a process when the kernel frees it.
void BpfBackend::attach_free_handler() {
  require_open();
  if (!frees_attached_) attach_sensor(exclusive_ ? "exclusive_free" : "handle_free");
  frees_attached_ = true;
}

void BpfBackend::request_scan(const scan_request& request) {
  const int err = bpf_map_update_elem(bpf_map__fd(sensor_map("scan_request")), &FIRST, &request, BPF_ANY);
  if (err != 0) throw Failure{"SCAN", "cannot pass on which processes to look for", err};
}

// Visits every process once; returns how many it changed.
uint32_t BpfBackend::scan_once() {
  load_scan();
  store_u32(control_.as<control>()->scan_changes, 0);
  run_task_iterator(find_program(scan_.get(), "scan_processes"));
  return std::atomic_ref<uint32_t>(control_.as<control>()->scan_changes).load();
}

// Repeats the scan until it changes nothing: the sets of a process may depend on a process that the scan visits later.
void BpfBackend::scan_until_stable() {
  for (uint32_t i = 0; i < SCANS_MAX; i++) {
    if (scan_once() == 0) return;
  }
  throw Failure{"SCAN", "processes come and go faster than they can be looked at"};
}

// Clears the entries of processes that the scan does not visit: those in pid namespaces that are not below this one.
void BpfBackend::clear_unseen(const process_sets& sets) {
  clear_entries<uint32_t>(bpf_map__fd(sensor_map("process_bits")), sets);
  clear_entries<process_key_more>(bpf_map__fd(sensor_map("process_bits_more")), sets);
}

void BpfBackend::enable_process_sets() {
  attach_free_handler();
  store_u32(control_.as<control>()->keeps_bits, 1);
}

void BpfBackend::set_process_set_kinds(const ProcessSetKinds& kinds) {
  const std::scoped_lock lock(mutex_);
  auto* shared = control_.as<control>();
  if (shared == nullptr) throw Failure{"CLOSED", "the session is closed"};
  store_sets(shared->follow, kinds.followed);
  store_sets(shared->trusted, kinds.trusted);
  store_sets(shared->prefixed, kinds.prefixed);
  store_sets(shared->selecting, kinds.selecting);
}

void BpfBackend::track_arguments(argument_tracking tracking) {
  require_open();
  if (tracking == ARGUMENTS_COLLECT) {
    load_scan();
    clear_running_arguments();
  }
  store_u32(control_.as<control>()->keeps_arguments, tracking);
  if (tracking != ARGUMENTS_COLLECT) clear_running_arguments();
}

void BpfBackend::clear_running_arguments() {
  const int map = bpf_map__fd(sensor_map("running_arguments"));
  uint32_t tgid = 0;
  while (bpf_map_get_next_key(map, nullptr, &tgid) == 0) bpf_map_delete_elem(map, &tgid);
}

void BpfBackend::put_arguments(uint32_t tgid, const std::vector<uint8_t>& arguments, bool is_cut) {
  require_open();
  uint64_t context[4] = {tgid, reinterpret_cast<uint64_t>(arguments.data()), arguments.size(), is_cut ? 1U : 0U};
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = context, .ctx_size_in = sizeof(context));
  const int err = bpf_prog_test_run_opts(bpf_program__fd(find_program(scan_.get(), "find_running_arguments")), &run);
  if (err != 0 || run.retval != 0) throw Failure{"SCAN", "cannot pass on the arguments of a process", err};
}

void BpfBackend::clear_sets(const process_sets& sets) {
  request_scan({.clear = sets, .add = {}, .since = 0});
  scan_until_stable();
  clear_unseen(sets);
  request_scan({});
}

void BpfBackend::begin_scan(const process_sets& sets) {
  load_scan();
  request_scan({.clear = {}, .add = sets, .since = 0});
  store_u32(control_.as<control>()->scanning, 1);
  // without kprobes, the executable before an exec that is just in progress is not known
  LogScope log;
  prepare_link_.reset(bpf_program__attach(find_program(scan_.get(), "handle_prepare")));
}

void BpfBackend::finish_scan(const process_sets& sets) {
  require_open();
  const auto end = [&] {
    store_u32(control_.as<control>()->scanning, 0);
    prepare_link_.reset();
  };
  try {
    request_scan({.clear = {}, .add = sets, .since = boot_time()});
    scan_until_stable();
  } catch (...) {
    end();
    throw;
  }
  end();
  request_scan({});
}

void BpfBackend::enable_process_state() {
  attach_free_handler();
  uint32_t& keeps = control_.as<control>()->keeps_state;
  if (keeps != 0) return;
  std::atomic_ref<uint64_t>(control_.as<control>()->state_since).store(boot_time(), std::memory_order_seq_cst);
  store_u32(keeps, 1);
  try {
    scan_once();
  } catch (...) {
    store_u32(keeps, 0);
    throw;
  }
}

void BpfBackend::protect_ancestors() {
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("protect_ancestors")), &run);
  if (err != 0 || run.retval == 0) throw Failure{"PROTECT", "cannot protect this process from its policies", err};
}

// An owner that was stored before tracking began may belong to an earlier socket at the same address.
void BpfBackend::forget_sockets() {
  const int map = bpf_map__fd(sensor_map("socket_owners"));
  uint64_t socket = 0;
  while (bpf_map_get_next_key(map, nullptr, &socket) == 0) bpf_map_delete_elem(map, &socket);
}

void BpfBackend::set_socket_tracking(bool tracks) {
  require_open();
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

std::optional<reported_inode> BpfBackend::read_inode(uint32_t fd, inode_slot slot) {
  const int map = bpf_map__fd(sensor_map("reported_inode"));
  uint64_t arguments[2] = {fd, slot};
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));
  const int err = bpf_prog_test_run_opts(bpf_program__fd(sensor_program("tell_inode")), &run);
  if (err != 0) throw Failure{"INODE", "cannot ask the kernel for a file's inode", err};
  const auto index = static_cast<uint32_t>(slot);
  reported_inode found = {};
  if (run.retval != 0 || bpf_map_lookup_elem(map, &index, &found) != 0) return std::nullopt;
  return found;
}

}  // namespace polytrace
