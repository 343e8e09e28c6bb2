#include "binding/file_threads.h"

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "binding/napi_error.h"

namespace polytrace {

using Clock = std::chrono::steady_clock;

struct FileThreads::Job {
  Napi::Promise::Deferred promise;
  Work work;
  Result partial;
  Result result = nullptr;
  std::exception_ptr failure = nullptr;
  // On the way to the JavaScript thread, the job owns itself: the thread must not need memory, because nobody would
  // catch its exception.
  std::shared_ptr<Job> self = nullptr;
};

// Threads that are left behind keep it alive. The mutex guards all members.
struct FileThreads::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> jobs;
  std::shared_ptr<Job> running;
  Clock::time_point since;  // the start of the running job
  bool has_thread = false;  // a thread works or waits for jobs
  int stuck = 0;            // threads that are left behind
  bool closed = false;
  napi_threadsafe_function done = nullptr;
};

FileThreads::FileThreads() : shared_(std::make_shared<Shared>()) {}

void FileThreads::close() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->closed = true;
  if (shared_->done != nullptr) napi_release_threadsafe_function(shared_->done, napi_tsfn_abort);
  shared_->done = nullptr;
  shared_->changed.notify_all();
}

Napi::Value FileThreads::run(Napi::Env env, Work work, Result partial) {
  auto job = std::make_shared<Job>(Job{Napi::Promise::Deferred::New(env), std::move(work), std::move(partial)});
  const Napi::Promise promise = job->promise.Promise();
  const std::scoped_lock lock(shared_->mutex);
  if (shared_->stuck >= STUCK_MAX || shared_->closed) {
    job->promise.Resolve(env.Null());
    return promise;
  }
  start(env);
  shared_->jobs.push_back(std::move(job));
  shared_->changed.notify_one();
  return promise;
}

// Call it with the mutex locked.
void FileThreads::start(Napi::Env env) {
  if (shared_->done == nullptr) {
    const napi_value name = Napi::String::New(env, "polytrace.files");
    const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                               nullptr, settle_promise, &shared_->done);
    if (status != napi_ok) throw Failure{"NO_MEMORY", "there is not enough memory", ENOMEM};
    napi_unref_threadsafe_function(env, shared_->done);
  }
  if (shared_->has_thread) return;
  try {
    // the thread inherits the mask, so signals go to other threads
    const BlockedSignals blocked;
    std::thread([shared = shared_] { work_loop(shared); }).detach();
    shared_->has_thread = true;
  } catch (const std::system_error& error) {
    throw Failure{"NO_THREAD", "reading the files of processes needs one", error.code().value()};
  }
}

// Returns false if too many threads are left behind, or if no thread can be started.
bool FileThreads::try_start(Napi::Env env) {
  try {
    if (shared_->stuck < STUCK_MAX) start(env);
  } catch (const Failure&) {
  }
  return shared_->has_thread;
}

void FileThreads::work_loop(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return shared->closed || !shared->jobs.empty(); });
    if (shared->closed) return;
    const std::shared_ptr<Job> job = std::move(shared->jobs.front());
    shared->jobs.pop_front();
    shared->running = job;
    shared->since = Clock::now();
    lock.unlock();
    try {
      job->result = job->work();
    } catch (...) {
      job->failure = std::current_exception();
    }
    lock.lock();
    if (shared->closed) return;
    if (shared->running == job) {
      shared->running.reset();
      job->self = job;
      const napi_status status = napi_call_threadsafe_function(shared->done, job.get(), napi_tsfn_nonblocking);
      if (status != napi_ok) job->self.reset();
      continue;
    }
    // the job was dropped
    shared->stuck--;
    if (shared->has_thread) return;
    shared->has_thread = true;
  }
}

// `raw` is null when the environment ends.
void FileThreads::settle_promise(napi_env raw, napi_value, void*, void* data) {
  const std::shared_ptr<Job> job = std::move(static_cast<Job*>(data)->self);
  if (raw == nullptr) return;
  const Napi::Env env(raw);
  try {
    const Napi::HandleScope scope(env);
    try {
      if (job->failure) std::rethrow_exception(job->failure);
      job->promise.Resolve(job->result(env));
    } catch (...) {
      job->promise.Reject(caught_error(env).Value());
    }
  } catch (...) {
    // the environment is ending: no code waits for the promise
  }
}

void FileThreads::drop_late(Napi::Env env, std::chrono::milliseconds limit) {
  std::vector<std::shared_ptr<Job>> dropped;
  {
    const std::scoped_lock lock(shared_->mutex);
    if (shared_->running == nullptr || Clock::now() - shared_->since < limit) return;
    dropped.push_back(std::move(shared_->running));
    shared_->running.reset();
    shared_->has_thread = false;
    shared_->stuck++;
    if (!try_start(env)) {
      for (auto& job : shared_->jobs) dropped.push_back(std::move(job));
      shared_->jobs.clear();
    }
  }
  for (const auto& job : dropped) job->promise.Resolve(job->partial ? job->partial(env) : env.Null());
}

}  // namespace polytrace
