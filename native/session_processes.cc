// What concerns processes that run already: the sets that they are in, what they are, and the files that they name.
#include <bpf/bpf.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "abi_types.h"
#include "error.h"
#include "session.h"

namespace polytrace {

namespace {

// A walk goes down at least one generation; the others are for processes that came and went meanwhile.
constexpr uint32_t SCANS_MAX = 4096;

constexpr uint32_t FIRST = 0;

constexpr const char* SOCKETS_PIN = "sensor-sockets";

process_sets sets_argument(const Napi::CallbackInfo& info, size_t index = 0) {
  const auto bytes = info[index].As<Napi::Uint8Array>();
  process_sets sets = {};
  if (bytes.ByteLength() != sizeof(sets)) throw make_error(info.Env(), "MAP_ENTRY_SIZE", "sets of another size");
  std::memcpy(&sets, bytes.Data(), sizeof(sets));
  return sets;
}

uint64_t boot_time() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void store(uint32_t& word, uint32_t value) {
  std::atomic_ref<uint32_t>(word).store(value, std::memory_order_seq_cst);
}

// Returns whether there was any of them.
bool take_out(process_sets& from, const process_sets& sets) {
  bool any = false;
  for (int i = 0; i < PROCESS_WORDS; i++) {
    any = any || (from.words[i] & sets.words[i]) != 0;
    from.words[i] &= ~sets.words[i];
  }
  return any;
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

bpf_map* Session::sensor_map(Napi::Env env, const char* name) {
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  bpf_map* map = bpf_object__find_map_by_name(sensor_.get(), name);
  if (map == nullptr) throw make_error(env, "NO_SUCH_MAP", std::string("no map is called ") + name);
  return map;
}

// What is kept of a process goes with it.
void Session::keep_until_freed(Napi::Env env) {
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  if (!frees_attached_) attach_sensor(env, "handle_free");
  frees_attached_ = true;
}

void Session::request_scan(Napi::Env env, const scan_request& request) {
  const int err = bpf_map_update_elem(bpf_map__fd(sensor_map(env, "scan_request")), &FIRST, &request, BPF_ANY);
  if (err != 0) throw make_error(env, "SCAN", "cannot say what processes are scanned for", err);
}

// Walks over every process once; returns how many it changed.
uint32_t Session::scan_once(Napi::Env env) {
  store(control_.as<control>()->scan_changes, 0);
  bpf_program* program = bpf_object__find_program_by_name(sensor_.get(), "scan_processes");
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", "no program is called scan_processes");
  LogScope log;
  LinkPtr link(bpf_program__attach_iter(program, nullptr));
  if (!link) throw make_error(env, "SCAN", "cannot walk the processes", errno, log.text());
  const int fd = bpf_iter_create(bpf_link__fd(link.get()));
  if (fd < 0) throw make_error(env, "SCAN", "cannot walk the processes", fd, log.text());
  char ignored[64];
  ssize_t got;
  do {
    got = read(fd, ignored, sizeof(ignored));
  } while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
  const int err = got < 0 ? errno : 0;
  ::close(fd);
  if (err != 0) throw make_error(env, "SCAN", "cannot walk the processes", err);
  return std::atomic_ref<uint32_t>(control_.as<control>()->scan_changes).load();
}

// What a process is in may depend on one that the walk comes to later.
void Session::scan_until_still(Napi::Env env) {
  for (uint32_t i = 0; i < SCANS_MAX; i++) {
    if (scan_once(env) == 0) return;
  }
  throw make_error(env, "SCAN", "processes come and go faster than they can be looked at");
}

// The walk does not see processes of pid namespaces that this one is not an ancestor of, but they have entries.
void Session::clear_unseen(Napi::Env env, const process_sets& sets) {
  clear_entries<uint32_t>(bpf_map__fd(sensor_map(env, "process_bits")), sets);
  clear_entries<process_bits_key>(bpf_map__fd(sensor_map(env, "process_bits_more")), sets);
}

// From now on the sensor keeps the sets of every process that execs, forks or ends.
Napi::Value Session::use_process_sets(const Napi::CallbackInfo& info) {
  keep_until_freed(info.Env());
  store(control_.as<control>()->keeps_bits, 1);
  return info.Env().Undefined();
}

// (followed, trusted, prefixed): sets whose members' descendants are members, sets that untrusted executables do not belong to,
// and sets with prefixes.
Napi::Value Session::set_kinds(const Napi::CallbackInfo& info) {
  if (!sensor_) throw make_error(info.Env(), "CLOSED", "the session is closed");
  const process_sets followed = sets_argument(info, 0);
  const process_sets trusted = sets_argument(info, 1);
  const process_sets prefixed = sets_argument(info, 2);
  for (int i = 0; i < PROCESS_WORDS; i++) {
    std::atomic_ref<uint64_t>(control_.as<control>()->follow[i]).store(followed.words[i], std::memory_order_seq_cst);
    std::atomic_ref<uint64_t>(control_.as<control>()->trusted[i]).store(trusted.words[i], std::memory_order_seq_cst);
    std::atomic_ref<uint64_t>(control_.as<control>()->prefixed[i]).store(prefixed.words[i], std::memory_order_seq_cst);
  }
  return info.Env().Undefined();
}

// (sets): nobody is in these when this returns. Their values are in no table any more, and they are not followed.
Napi::Value Session::clear_sets(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const process_sets sets = sets_argument(info);
  request_scan(env, {.clear = sets, .add = {}, .since = 0});
  scan_until_still(env);
  clear_unseen(env, sets);
  request_scan(env, {});
  return env.Undefined();
}

// (sets): their values are about to be put into the tables. From here on nothing that forks or execs is missed.
Napi::Value Session::begin_scan(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  request_scan(env, {.clear = {}, .add = sets_argument(info), .since = 0});
  store(control_.as<control>()->scanning, 1);
  bpf_program* program = bpf_object__find_program_by_name(sensor_.get(), "handle_prepare");
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", "no program is called handle_prepare");
  // without kprobes, what a process was before an exec that is going on just now is not known
  LogScope log;
  prepare_link_.reset(bpf_program__attach(program));
  return env.Undefined();
}

// (sets), the same: when this returns, every process has its sets.
Napi::Value Session::finish_scan(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const process_sets sets = sets_argument(info);
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  const auto end = [&] {
    store(control_.as<control>()->scanning, 0);
    prepare_link_.reset();
  };
  try {
    request_scan(env, {.clear = {}, .add = sets, .since = boot_time()});
    scan_until_still(env);
  } catch (...) {
    end();
    throw;
  }
  end();
  request_scan(env, {});
  return env.Undefined();
}

// From now on the sensor keeps what each process is when it execs; of those that run, what they are now.
Napi::Value Session::keep_state(const Napi::CallbackInfo& info) {
  keep_until_freed(info.Env());
  uint32_t& keeps = control_.as<control>()->keeps_state;
  if (keeps != 0) return info.Env().Undefined();
  store(keeps, 1);
  scan_once(info.Env());
  return info.Env().Undefined();
}

// From now on no policy acts on this process and on those that it descends from, whichever pid namespace they are in.
Napi::Value Session::protect_ancestors(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!sensor_) throw make_error(env, "CLOSED", "the session is closed");
  bpf_program* program = bpf_object__find_program_by_name(sensor_.get(), "protect_ancestors");
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", "no program is called protect_ancestors");
  LIBBPF_OPTS(bpf_test_run_opts, run);
  const int err = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
  if (err != 0 || run.retval == 0) throw make_error(env, "PROTECT", "cannot protect this process from its policies", err);
  return env.Undefined();
}

// (whether policies want to know whose sockets are): from then on until they do not, sockets that the kernel frees are forgotten.
Napi::Value Session::set_tracks_sockets(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int map = bpf_map__fd(sensor_map(env, "socket_owners"));
  pins_.unpin(SOCKETS_PIN);
  sockets_links_.clear();
  // what was noted when nobody watched says nothing of what has the address now
  uint64_t socket = 0;
  while (bpf_map_get_next_key(map, nullptr, &socket) == 0) bpf_map_delete_elem(map, &socket);
  if (!info[0].ToBoolean()) return env.Undefined();
  bpf_program* program = bpf_object__find_program_by_name(sensor_.get(), "handle_socket_freed");
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", "no program is called handle_socket_freed");
  LogScope log;
  LinkPtr link(bpf_program__attach(program));
  if (!link) throw make_error(env, "SOCKETS", "cannot see which sockets the kernel frees", errno, log.text());
  pin_link(env, bpf_link__fd(link.get()), SOCKETS_PIN);
  sockets_links_.push_back(std::move(link));
  return env.Undefined();
}

// (descriptor of this process) -> { device, inode } as the kernel numbers them, or undefined
Napi::Value Session::inode_of(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int map = bpf_map__fd(sensor_map(env, "told_inode"));
  bpf_program* program = bpf_object__find_program_by_name(sensor_.get(), "tell_inode");
  if (program == nullptr) throw make_error(env, "NO_SUCH_PROGRAM", "no program is called tell_inode");
  uint64_t arguments[1] = {info[0].As<Napi::Number>().Uint32Value()};
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));
  const int err = bpf_prog_test_run_opts(bpf_program__fd(program), &run);
  if (err != 0) throw make_error(env, "INODE", "cannot ask the kernel for a file's inode", err);
  inode_key told = {};
  if (run.retval != 0 || bpf_map_lookup_elem(map, &FIRST, &told) != 0) return env.Undefined();
  Napi::Object result = Napi::Object::New(env);
  result.Set("device", Napi::Number::New(env, told.device));
  result.Set("inode", Napi::BigInt::New(env, static_cast<uint64_t>(told.inode)));
  return result;
}

}  // namespace polytrace
