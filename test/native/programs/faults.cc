// Preloaded into a process that traces. It watches what the addon and libbpf ask of the system: memory, mappings,
// threads, bpf(2) and perf_event_open(2). A test makes such a call fail, or stops the process there, through the file
// named by FAULTS_FILE, which this shares with test/native/faults-support.ts.
//
// A call is known by its site: the call stack within the addon and libbpf. Calls of V8, and of Node.js itself, are left
// alone.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace {

enum Kind : uint64_t { MEMORY = 1, MAPPING = 2, THREAD = 4, KERNEL = 8 };

enum Mode : uint64_t {
  OFF = 0,
  RECORD = 1,     // notes each site
  FAIL_ONCE = 2,  // the first call at the site `target` fails
  FAIL_FROM = 3,  // so do all calls after it
  STOP = 4,       // SIGSTOP at the first call of the site `target`, before it
  STOP_EACH = 5,  // SIGSTOP at the first call of every site
  HOLD = 6,       // the first call at the site `target` waits until `released`
};

constexpr size_t SITES_MAX = 8192;

// Words of eight bytes; faults-support.ts has the same order.
struct Control {
  std::atomic<uint64_t> mode;
  std::atomic<uint64_t> kinds;   // that are watched
  std::atomic<uint64_t> target;  // a site
  std::atomic<uint64_t> hits;    // calls that failed, were stopped or held
  std::atomic<uint64_t> released;
  std::atomic<uint64_t> known;  // sites
  std::atomic<uint64_t> sites[SITES_MAX];
};

Control* control = nullptr;

// Calls are not watched while this is set: those that this library makes itself.
__attribute__((tls_model("initial-exec"))) thread_local bool watching = false;

struct Watching {
  Watching() { watching = true; }
  ~Watching() { watching = false; }
};

// Finds the function of this name in the next library.
template <typename Function>
Function* find_next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// ---- which code makes the call?
// ---------------------------------------------------------------------------------------------

enum Owner { OTHER, HELPER, OURS };

struct Module {
  uintptr_t start, end;
  Owner owner;
};

constexpr size_t MODULES_MAX = 64;
Module modules[MODULES_MAX];
std::atomic<size_t> module_count{0};

Owner classify_module(const char* path) {
  const auto has = [&](const char* word) { return std::strstr(path, word) != nullptr; };
  if (has("polytrace.node") || has("libbpf.so")) return OURS;
  for (const char* word : {"libc.so", "libstdc++", "libelf", "libz", "libgcc_s", "libasan", "libubsan", "faults.so"}) {
    if (has(word)) return HELPER;
  }
  return OTHER;
}

int add_module(dl_phdr_info* info, size_t, void*) {
  const Owner owner = classify_module(info->dlpi_name);
  if (owner == OTHER) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || module_count == MODULES_MAX) continue;
    const uintptr_t start = info->dlpi_addr + header.p_vaddr;
    modules[module_count++] = {start, start + header.p_memsz, owner};
  }
  return 0;
}

const Module* find_module(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (size_t i = 0; i < module_count; i++) {
    if (at >= modules[i].start && at < modules[i].end) return &modules[i];
  }
  return nullptr;
}

// The number of frames of the addon and libbpf that identify a site.
constexpr int OWN_FRAMES = 6;

// Identifies the site of a call by a hash; 0 for a call that neither the addon nor libbpf makes.
uint64_t hash_call_site(const void* caller, Kind kind) {
  const Module* direct = find_module(caller);
  if (direct == nullptr) return 0;
  void* frames[40];
  const int depth = backtrace(frames, 40);
  uint64_t site = 1469598103934665603u;
  const auto mix = [&](uint64_t word) { site = (site ^ word) * 1099511628211u; };
  int own = 0;
  for (int i = 0; i < depth && own < OWN_FRAMES; i++) {
    const Module* module = find_module(frames[i]);
    if (module == nullptr) break;  // the caller of the addon
    if (module->owner == HELPER) continue;
    mix(reinterpret_cast<uintptr_t>(frames[i]) - module->start);
    own++;
  }
  mix(kind);
  return own == 0 ? 0 : site | 1;
}

// ---- what a call does --------------------------------------------------------------------------------------------

std::mutex sites_mutex;
bool prints_stacks = false;

// Records the site. Returns whether it was new.
bool record_site(uint64_t site) {
  const std::lock_guard lock(sites_mutex);
  const uint64_t known = control->known;
  for (uint64_t i = 0; i < known; i++) {
    if (control->sites[i] == site) return false;
  }
  if (known == SITES_MAX) return false;
  control->sites[known] = site;
  control->known = known + 1;
  return true;
}

// Prints the stack of the failing call, if FAULTS_SHOW is in the environment.
void print_stack() {
  if (!prints_stacks) return;
  void* frames[40];
  backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
  (void)!write(2, "\n", 1);
}

void stop() {
  control->hits++;
  raise(SIGSTOP);  // stops the process, with this thread here
}

// Does what the mode says at this site. Returns whether the call must fail.
bool apply_mode(uint64_t site) {
  const uint64_t mode = control->mode;
  const bool is_target = site == control->target;
  if (mode == RECORD) {
    record_site(site);
  } else if (mode == STOP_EACH) {
    if (record_site(site)) stop();
  } else if (mode == FAIL_FROM) {
    if (!is_target && control->hits == 0) return false;
    if (control->hits++ == 0) print_stack();
    return true;
  } else if (is_target && control->hits == 0) {
    if (mode == STOP) stop();
    if (mode == FAIL_ONCE || mode == HOLD) control->hits++;
    while (mode == HOLD && control->released == 0) usleep(500);
    if (mode == FAIL_ONCE) print_stack();
    return mode == FAIL_ONCE;
  }
  return false;
}

bool must_fail(Kind kind, const void* caller) {
  if (control == nullptr || watching || control->mode == OFF || (control->kinds & kind) == 0) return false;
  const Watching guard;
  const int saved = errno;
  const uint64_t site = hash_call_site(caller, kind);
  const bool fails = site != 0 && apply_mode(site);
  errno = saved;
  return fails;
}

__attribute__((constructor)) void open_control() {
  const char* path = getenv("FAULTS_FILE");
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* shared = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  void* frames[4];
  backtrace(frames, 4);  // the first call loads libgcc_s
  prints_stacks = getenv("FAULTS_SHOW") != nullptr;
  if (shared != MAP_FAILED) control = static_cast<Control*>(shared);
}

void* fail_without_memory() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

// Looks for the modules of the addon and its libraries when the addon is loaded.
extern "C" __attribute__((visibility("default"))) void* dlopen(const char* path, int flags) {
  static auto* const real = find_next<void*(const char*, int)>("dlopen");
  void* const handle = real(path, flags);
  if (path != nullptr && std::strstr(path, "polytrace.node") != nullptr) {
    module_count = 0;
    dl_iterate_phdr(add_module, nullptr);
  }
  return handle;
}

// ---- the calls -----------------------------------------------------------------------------------------------------

#define CALLER __builtin_return_address(0)
#define INTERPOSED __attribute__((visibility("default")))

extern "C" {

INTERPOSED void* malloc(size_t size) {
  static auto* const real = find_next<void*(size_t)>("malloc");
  return must_fail(MEMORY, CALLER) ? fail_without_memory() : real(size);
}

INTERPOSED void* calloc(size_t count, size_t size) {
  static auto* const real = find_next<void*(size_t, size_t)>("calloc");
  return must_fail(MEMORY, CALLER) ? fail_without_memory() : real(count, size);
}

INTERPOSED void* realloc(void* old, size_t size) {
  static auto* const real = find_next<void*(void*, size_t)>("realloc");
  return must_fail(MEMORY, CALLER) ? fail_without_memory() : real(old, size);
}

INTERPOSED void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  static auto* const real = find_next<void*(void*, size_t, int, int, int, off_t)>("mmap");
  if (!must_fail(MAPPING, CALLER)) return real(address, length, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

INTERPOSED void* mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  static auto* const real = find_next<void*(void*, size_t, int, int, int, off_t)>("mmap64");
  if (!must_fail(MAPPING, CALLER)) return real(address, length, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

INTERPOSED int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) {
  static auto* const real =
      find_next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return must_fail(THREAD, CALLER) ? EAGAIN : real(thread, attributes, run, argument);
}

INTERPOSED long syscall(long number, ...) {
  static auto* const real = find_next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  const bool watched = number == SYS_bpf || number == SYS_perf_event_open;
  if (!watched || !must_fail(KERNEL, CALLER)) {
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  }
  errno = ENOMEM;
  return -1;
}

}  // extern "C"

// operator new calls malloc, which would fail too. It is interposed so that the site is that of the caller of `new`.
INTERPOSED void* operator new(size_t size) {
  static auto* const real = find_next<void*(size_t)>("_Znwm");
  if (!must_fail(MEMORY, CALLER)) {
    const bool outer = watching;
    watching = true;
    void* const result = real(size);
    watching = outer;
    return result;
  }
  throw std::bad_alloc();
}
