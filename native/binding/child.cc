#include "binding/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/handles.h"

namespace polytrace {
namespace {

struct Waiting {
  Fd release;  // a byte starts the program
  Fd failure;  // the errno of a failed exec; closed by a successful one
};

// Children that wait between fork and exec, of all environments of this process.
std::map<pid_t, Waiting>& waiting_children() {
  static auto* const children = new std::map<pid_t, Waiting>();
  return *children;
}

struct Ids {
  bool changes = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

std::vector<std::string> read_strings(const Napi::Array& list) {
  std::vector<std::string> texts;
  texts.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) texts.push_back(list.Get(i).As<Napi::String>().Utf8Value());
  return texts;
}

std::vector<char*> make_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Node.js raises its soft limit of descriptors to the hard one. The parent of this process has the limit that the
// program would have had.
rlimit inherited_descriptor_limit() {
  rlimit own = {};
  rlimit parents = {};
  getrlimit(RLIMIT_NOFILE, &own);
  if (prlimit(getppid(), RLIMIT_NOFILE, nullptr, &parents) == 0 && parents.rlim_max == own.rlim_max) return parents;
  return own;
}

// Everything below runs in the child of a process with several threads: only calls that are safe in signal handlers.
// The ids are set by system calls, because the functions of the C library ask all threads.
bool become_user(const Ids& ids) {
  if (!ids.changes) return true;
  return syscall(SYS_setgroups, ids.groups.size(), ids.groups.data()) == 0 &&
         syscall(SYS_setresgid, ids.gid, ids.gid, ids.gid) == 0 &&
         syscall(SYS_setresuid, ids.uid, ids.uid, ids.uid) == 0;
}

void reset_signals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The target of a descriptor of this process, such as pipe:[123]; empty if there is none.
std::string describe_descriptor(int fd) {
  char target[PATH_MAX] = {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = readlink(path.c_str(), target, sizeof(target) - 1);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

// The descriptors above 2 that this process has got from its parent. Node.js marks them to be closed, like its own: its
// own are anonymous inodes, /dev/null, and pipes to itself. A make gives both ends of a pipe, and names them.
std::vector<int> inherited_descriptors() {
  std::map<std::string, std::vector<int>> targets;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return {};
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > 2 && fd != dirfd(folder)) targets[describe_descriptor(fd)].push_back(fd);
  }
  closedir(folder);
  const char* flags = std::getenv("MAKEFLAGS");
  const char* found = flags == nullptr ? nullptr : std::strstr(flags, "--jobserver-");
  int reader = -1;
  int writer = -1;
  if (found != nullptr) found = std::strchr(found, '=');
  if (found != nullptr) {
    if (std::sscanf(found, "=%d,%d", &reader, &writer) != 2) reader = writer = -1;
  }
  std::vector<int> result;
  for (const auto& [target, fds] : targets) {
    if (target.empty() || target == "/dev/null" || target.starts_with("anon_inode:")) continue;
    for (const int fd : fds) {
      const bool is_own_pipe = target.starts_with("pipe:") && fds.size() > 1 && fd != reader && fd != writer &&
                               (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
      if (!is_own_pipe) result.push_back(fd);
    }
  }
  return result;
}

// Standard input, output and error go to the program, and `more`.
void keep_descriptors(const std::vector<int>& more) {
  for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFD, 0);
  for (const int fd : more) fcntl(fd, F_SETFD, 0);
}

// Node.js makes pipes non-blocking, for everybody who shares them.
void restore_blocking(const Napi::Array& modes) {
  for (uint32_t fd = 0; fd <= 2 && fd < modes.Length(); fd++) {
    const int flags = fcntl(static_cast<int>(fd), F_GETFL);
    if (flags < 0) continue;
    const bool blocks = modes.Get(fd).ToBoolean().Value();
    const int wanted = blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (wanted != flags) fcntl(static_cast<int>(fd), F_SETFL, wanted);
  }
}

struct Program {
  const char* folder;
  char* const* arguments;
  char** environment;
  const Ids& ids;
  const rlimit& descriptors;
  const std::vector<int>& inherited;
};

[[noreturn]] void report_failure(int failure) {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(failure, &error, sizeof(error));
  _exit(125);
}

[[noreturn]] void run_child(int release, int failure, const Program& program) {
  // the working folder of this process is that of all its threads, so it does not change
  if (chdir(program.folder) != 0) report_failure(failure);
  // a core file, an ignored signal or a mask of Node.js must not reach the program
  reset_signals();
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(release, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) _exit(125);
  setrlimit(RLIMIT_NOFILE, &program.descriptors);
  keep_descriptors(program.inherited);
  if (become_user(program.ids)) {
    environ = program.environment;
    execvp(program.arguments[0], program.arguments);
  }
  report_failure(failure);
}

std::array<Fd, 2> make_pipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw Failure{.code = "CHILD", .message = "cannot start the command: pipe", .error = errno};
  return {Fd(ends[0]), Fd(ends[1])};
}

// Moves a descriptor away from those of standard input, output and error, which may be closed in this process.
Fd move_up(Fd fd) {
  if (fd.value > 2) return fd;
  const int moved = fcntl(fd.value, F_DUPFD_CLOEXEC, 3);
  if (moved < 0) throw Failure{.code = "CHILD", .message = "cannot start the command: fcntl", .error = errno};
  return Fd(moved);
}

std::atomic<pid_t> signalled_child = 0;

// A signal of the kernel (Ctrl-C of a terminal) reaches the child without this process. All others were sent to this
// process alone.
void forward_signal(int signal, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  const pid_t child = signalled_child;
  if (child > 0 && info->si_code <= 0) kill(child, signal);
  if (signal == SIGTSTP) raise(SIGSTOP);
  errno = error;
}

constexpr std::array FORWARDED = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,  SIGUSR1, SIGUSR2,
                                  SIGCONT, SIGTSTP, SIGALRM, SIGWINCH, SIGPOLL};

struct Handlers {
  bool changed = false;
  std::array<struct sigaction, FORWARDED.size()> former = {};
};

Handlers& handlers() {
  static Handlers state;
  return state;
}

Napi::Value describe_user(Napi::Env env, const passwd& user) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  while (getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0 && count < 65'536) {
    if (static_cast<size_t>(count) <= groups.size()) count *= 2;
    groups.resize(static_cast<size_t>(count));
  }
  auto list = Napi::Array::New(env);
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); i++) list.Set(i, Napi::Number::New(env, groups[i]));
  auto result = Napi::Array::New(env, 6);
  result.Set(0U, Napi::String::New(env, user.pw_name));
  result.Set(1U, Napi::Number::New(env, user.pw_uid));
  result.Set(2U, Napi::Number::New(env, user.pw_gid));
  result.Set(3U, Napi::String::New(env, user.pw_dir));
  result.Set(4U, Napi::String::New(env, user.pw_shell));
  result.Set(5U, list);
  return result;
}

}  // namespace

Napi::Value start_child(const Napi::CallbackInfo& info) {
  std::vector<std::string> arguments = read_strings(info[0].As<Napi::Array>());
  std::vector<std::string> environment = read_strings(info[1].As<Napi::Array>());
  const std::string folder = info[2].As<Napi::String>().Utf8Value();
  Ids ids;
  if (info[3].IsArray()) {
    const auto numbers = info[3].As<Napi::Array>();
    ids.changes = true;
    ids.uid = numbers.Get(0U).As<Napi::Number>().Uint32Value();
    ids.gid = numbers.Get(1U).As<Napi::Number>().Uint32Value();
    for (uint32_t i = 2; i < numbers.Length(); i++) {
      ids.groups.push_back(numbers.Get(i).As<Napi::Number>().Uint32Value());
    }
  }
  const std::vector<char*> argument_pointers = make_pointers(arguments);
  std::vector<char*> environment_pointers = make_pointers(environment);
  const rlimit descriptors = inherited_descriptor_limit();
  std::vector<int> inherited;
  if (info[4].IsArray()) {
    inherited = inherited_descriptors();
    restore_blocking(info[4].As<Napi::Array>());
  }
  auto [release_read, release_write] = make_pipe();
  auto [failure_read, failure_write] = make_pipe();
  release_read = move_up(std::move(release_read));
  failure_write = move_up(std::move(failure_write));

  const pid_t pid = fork();
  if (pid < 0) throw Failure{.code = "CHILD", .message = "cannot start the command: fork", .error = errno};
  if (pid == 0) {
    // the other ends, so that the end of this process is the end of the wait
    close(release_write.value);
    close(failure_read.value);
    run_child(release_read.value, failure_write.value,
              {.folder = folder.c_str(),
               .arguments = argument_pointers.data(),
               .environment = environment_pointers.data(),
               .ids = ids,
               .descriptors = descriptors,
               .inherited = inherited});
  }
  waiting_children().insert_or_assign(pid,
                                      Waiting{.release = std::move(release_write), .failure = std::move(failure_read)});
  return Napi::Number::New(info.Env(), pid);
}

Napi::Value release_child(const Napi::CallbackInfo& info) {
  const pid_t pid = info[0].As<Napi::Number>().Int32Value();
  const auto found = waiting_children().find(pid);
  if (found == waiting_children().end()) return Napi::Number::New(info.Env(), -1);
  Waiting child = std::move(found->second);
  waiting_children().erase(found);
  const char byte = 1;
  // a child that has ended reads nothing, and closes the other pipe as well
  [[maybe_unused]] const ssize_t written = write(child.release.value, &byte, 1);
  return Napi::Number::New(info.Env(), std::exchange(child.failure.value, -1));
}

Napi::Value reap_child(const Napi::CallbackInfo& info) {
  const pid_t pid = info[0].As<Napi::Number>().Int32Value();
  int status = 0;
  const pid_t ended = waitpid(pid, &status, WNOHANG);
  if (ended == 0) return info.Env().Null();
  auto result = Napi::Array::New(info.Env(), 2);
  // somebody else has reaped it: its status is not known
  const bool is_known = ended == pid;
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  result.Set(0U, Napi::Number::New(info.Env(), is_known ? exit_status : -1));
  result.Set(1U, Napi::Number::New(info.Env(), is_known && WIFSIGNALED(status) ? WTERMSIG(status) : 0));
  return result;
}

Napi::Value forward_signals(const Napi::CallbackInfo& info) {
  signalled_child = info[0].As<Napi::Number>().Int32Value();
  Handlers& state = handlers();
  if (signalled_child > 0 && !state.changed) {
    struct sigaction action = {};
    action.sa_sigaction = forward_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < FORWARDED.size(); i++) sigaction(FORWARDED[i], &action, &state.former[i]);
    state.changed = true;
  } else if (signalled_child <= 0 && state.changed) {
    for (size_t i = 0; i < FORWARDED.size(); i++) sigaction(FORWARDED[i], &state.former[i], nullptr);
    state.changed = false;
  }
  return info.Env().Undefined();
}

Napi::Value end_by_signal(const Napi::CallbackInfo& info) {
  const int signal = info[0].As<Napi::Number>().Int32Value();
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  kill(getpid(), signal);
  return info.Env().Undefined();
}

Napi::Value find_user(const Napi::CallbackInfo& info) {
  const passwd* user = info[0].IsNumber() ? getpwuid(info[0].As<Napi::Number>().Uint32Value())
                                          : getpwnam(info[0].As<Napi::String>().Utf8Value().c_str());
  return user == nullptr ? info.Env().Null() : describe_user(info.Env(), *user);
}

}  // namespace polytrace
