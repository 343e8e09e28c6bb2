// Threads for calls that can wait forever. One thread works at a time. A job that takes too long is dropped: its thread
// is left behind until the call returns, and another thread continues with the next job. At most STUCK_MAX threads are
// left behind. When there are that many, every job is dropped at once, until one of them returns.
#pragma once

#include <napi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace polytrace {

class FileThreads {
 public:
  // Runs on the JavaScript thread, and makes the value of the promise.
  using Result = std::function<Napi::Value(Napi::Env)>;
  using Work = std::function<Result()>;

  static constexpr int STUCK_MAX = 4;

  FileThreads();
  ~FileThreads() { close(); }
  FileThreads(const FileThreads&) = delete;
  FileThreads& operator=(const FileThreads&) = delete;

  // Returns a promise of the result. If the job is dropped, it is the value of `partial`, which may run at the same
  // time as the work; without it, null. Throws Failure NO_THREAD or NO_MEMORY.
  Napi::Value run(Napi::Env env, Work work, Result partial = nullptr);
  // Drops the running job if it takes longer than `limit`.
  void drop_late(Napi::Env env, std::chrono::milliseconds limit);
  // Ends the threads, without waiting for those that are left behind. Further calls do nothing.
  void close();

 private:
  struct Job;
  struct Shared;

  void start(Napi::Env env);
  bool try_start(Napi::Env env);
  static void work_loop(const std::shared_ptr<Shared>& shared);
  static void settle_promise(napi_env raw, napi_value callback, void* context, void* data);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace polytrace
