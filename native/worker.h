// A thread that does what takes the kernel long: one job after the other, in their order. JavaScript gets a promise for each.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace polytrace {

class Worker {
 public:
  // Runs on the JavaScript thread when the job is done, and makes the value of the promise. It may throw Failure.
  using Result = std::function<Napi::Value(Napi::Env)>;
  // Runs on the worker's thread. It may throw Failure.
  using Work = std::function<Result()>;

  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns a promise. `owner` is kept, and the event loop goes on, until the job is done. Throws Failure NO_THREAD.
  Napi::Value run(Napi::Env env, const Napi::Object& owner, Work work);
  // Waits for the job that is under way. Jobs that have not begun are dropped. On the JavaScript thread.
  void stop();

 private:
  struct Job;

  void start(Napi::Env env);
  void work_loop();
  static void settle(napi_env env, napi_value callback, void* worker, void* job);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::unique_ptr<Job> unsettled_;  // done, but the environment ends
  bool stopping_ = false;
  size_t pending_ = 0;  // on the JavaScript thread: promises that are not settled
  std::thread thread_;
  napi_threadsafe_function done_ = nullptr;
};

}  // namespace polytrace
