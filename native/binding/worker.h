// A thread that runs slow calls of the kernel: one job after the other, in their order. JavaScript gets a promise for
// each job.
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

  // Queues a job and returns its promise. `owner` and the event loop stay alive until the job is done. Throws Failure
  // NO_THREAD.
  Napi::Value run(Napi::Env env, const Napi::Object& owner, Work work);
  // Waits for the running job and drops the queued jobs. Call it on the JavaScript thread.
  void stop();
  // Ends the thread when the promises of all jobs are settled. Call it on the JavaScript thread, behind the last job.
  void stop_when_idle() { ends_ = true; }

 private:
  struct Job;

  void start(Napi::Env env);
  void work_loop();
  static void settle_promise(napi_env raw, napi_value callback, void* worker, void* data);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::unique_ptr<Job> unsettled_;  // it was done when the environment was already ending
  bool stopping_ = false;
  bool ends_ = false;   // only the JavaScript thread uses it
  size_t pending_ = 0;  // promises that are not settled; only the JavaScript thread uses it
  std::thread thread_;
  napi_threadsafe_function done_ = nullptr;
};

}  // namespace polytrace
