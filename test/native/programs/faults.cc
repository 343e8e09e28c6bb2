// Preloaded into a process that traces. It watches what the addon and libbpf ask of the system: memory, mappings, threads, bpf(2)
// and perf_event_open(2). A test makes such a call fail, or stops the process there, through the file named by FAULTS_FILE, which
// this shares with test/native/faults-support.ts.
//
// A call is known by its site: the call stack within the addon and libbpf. Calls of V8, and of Node.js itself, are left alone.
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

// Memory may be asked for before this library's data of C++ is ready, and by what the watcher calls.
__attribute__((tls_model("initial-exec"))) thread_local bool watching = false;

struct Watching {
  Watching() { watching = true; }
  ~Watching() { watching = false; }
};

// What the next library has under this name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// ---- whose call is it? ---------------------------------------------------------------------------------------------

enum Owner { OTHER, HELPER, OURS };

struct Module {
  uintptr_t start, end;
  Owner owner;
};

constexpr size_t MODULES_MAX = 64;
Module modules[MODULES_MAX];
std::atomic<size_t> module_count{0};

Owner owner_of(const char* path) {
  const auto has = [&](const char* word) { return std::strstr(path, word) != nullptr; };
  if (has("polytrace.node") || has("libbpf.so")) return OURS;
  for (const char* word : {"libc.so", "libstdc++", "libelf", "libz", "libgcc_s", "libasan", "libubsan", "faults.so"}) {
    if (has(word)) return HELPER;
  }
  return OTHER;
}

int add_module(dl_phdr_info* info, size_t, void*) {
  const Owner owner = owner_of(info->dlpi_name);
  if (owner == OTHER) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || module_count == MODULES_MAX) continue;
    const uintptr_t start = info->dlpi_addr + header.p_vaddr;
    modules[module_count++] = {start, start + header.p_memsz, owner};
  }
  return 0;
}

const Module* module_of(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (size_t i = 0; i < module_count; i++) {
    if (at >= modules[i].start && at < modules[i].end) return &modules[i];
  }
  return nullptr;
}

// Frames of the addon and libbpf that tell one site from another.
constexpr int OWN_FRAMES = 6;

// Returns 0 for a call that is not ours.
uint64_t site_of(const void* caller, Kind kind) {
  const Module* direct = module_of(caller);
  if (direct == nullptr) return 0;
  void* frames[40];
  const int depth = backtrace(frames, 40);
  uint64_t site = 1469598103934665603u;
  const auto mix = [&](uint64_t word) { site = (site ^ word) * 1099511628211u; };
  int own = 0;
  for (int i = 0; i < depth && own < OWN_FRAMES; i++) {
    const Module* module = module_of(frames[i]);
    if (module == nullptr) break;  // whoever asked the addon
    if (module->owner == HELPER) continue;
    mix(reinterpret_cast<uintptr_t>(frames[i]) - module->start);
    own++;
  }
  mix(kind);
  return own == 0 ? 0 : site | 1;
}

// ---- what happens there --------------------------------------------------------------------------------------------

std::mutex sites_mutex;
bool shows = false;

// Returns whether the site was new.
bool note(uint64_t site) {
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

// With FAULTS_SHOW in the environment: where it fails.
void show() {
  if (!shows) return;
  void* frames[40];
  backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
  (void)!write(2, "\n", 1);
}

void stop() {
  control->hits++;
  raise(SIGSTOP);  // to this thread, which then goes no further
}

// Returns whether the call must fail.
bool act(uint64_t site) {
  const uint64_t mode = control->mode;
  const bool is_target = site == control->target;
  if (mode == RECORD) {
    note(site);
  } else if (mode == STOP_EACH) {
    if (note(site)) stop();
  } else if (mode == FAIL_FROM) {
    if (!is_target && control->hits == 0) return false;
    if (control->hits++ == 0) show();
    return true;
  } else if (is_target && control->hits == 0) {
    if (mode == STOP) stop();
    if (mode == FAIL_ONCE || mode == HOLD) control->hits++;
    while (mode == HOLD && control->released == 0) usleep(500);
    if (mode == FAIL_ONCE) show();
    return mode == FAIL_ONCE;
  }
  return false;
}

bool must_fail(Kind kind, const void* caller) {
  if (control == nullptr || watching || control->mode == OFF || (control->kinds & kind) == 0) return false;
  const Watching guard;
  const int saved = errno;
  const uint64_t site = site_of(caller, kind);
  const bool fails = site != 0 && act(site);
  errno = saved;
  return fails;
}

__attribute__((constructor)) void begin() {
  const char* path = getenv("FAULTS_FILE");
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* shared = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  void* frames[4];
  backtrace(frames, 4);  // loads what it needs
  shows = getenv("FAULTS_SHOW") != nullptr;
  if (shared != MAP_FAILED) control = static_cast<Control*>(shared);
}

void* no_memory() {
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

// The addon is loaded, with its libraries.
extern "C" __attribute__((visibility("default"))) void* dlopen(const char* path, int flags) {
  static auto* const real = next<void*(const char*, int)>("dlopen");
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
  static auto* const real = next<void*(size_t)>("malloc");
  return must_fail(MEMORY, CALLER) ? no_memory() : real(size);
}

INTERPOSED void* calloc(size_t count, size_t size) {
  static auto* const real = next<void*(size_t, size_t)>("calloc");
  return must_fail(MEMORY, CALLER) ? no_memory() : real(count, size);
}

INTERPOSED void* realloc(void* old, size_t size) {
  static auto* const real = next<void*(void*, size_t)>("realloc");
  return must_fail(MEMORY, CALLER) ? no_memory() : real(old, size);
}

INTERPOSED void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  static auto* const real = next<void*(void*, size_t, int, int, int, off_t)>("mmap");
  if (!must_fail(MAPPING, CALLER)) return real(address, length, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

INTERPOSED void* mmap64(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  static auto* const real = next<void*(void*, size_t, int, int, int, off_t)>("mmap64");
  if (!must_fail(MAPPING, CALLER)) return real(address, length, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

INTERPOSED int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  static auto* const real = next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return must_fail(THREAD, CALLER) ? EAGAIN : real(thread, attributes, run, argument);
}

INTERPOSED long syscall(long number, ...) {
  static auto* const real = next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long words[6];
  for (long& word : words) word = va_arg(list, long);
  va_end(list);
  const bool watched = number == SYS_bpf || number == SYS_perf_event_open;
  if (!watched || !must_fail(KERNEL, CALLER)) {
    return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  }
  errno = ENOMEM;
  return -1;
}

}  // extern "C"

// The library of C++ would find out by itself that there is no memory, but the stack is told from here.
INTERPOSED void* operator new(size_t size) {
  static auto* const real = next<void*(size_t)>("_Znwm");
  if (!must_fail(MEMORY, CALLER)) {
    const bool outer = watching;
    watching = true;
    void* const result = real(size);
    watching = outer;
    return result;
  }
  throw std::bad_alloc();
}
