#include "binding/worker.h"

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/signals.h"
#include "binding/napi_error.h"

namespace polytrace {

struct Worker::Job {
  Napi::Promise::Deferred promise;
  Napi::ObjectReference owner;
  Work work;
  Result result = nullptr;
  std::exception_ptr failure = nullptr;
};

Worker::Worker() = default;
Worker::~Worker() { stop(); }

Napi::Value Worker::run(Napi::Env env, const Napi::Object& owner, Work work) {
  start(env);
  auto job = std::make_unique<Job>(Job{Napi::Promise::Deferred::New(env), Napi::Persistent(owner), std::move(work)});
  const Napi::Promise promise = job->promise.Promise();
  {
    const std::scoped_lock lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  if (pending_++ == 0) napi_ref_threadsafe_function(env, done_);
  return promise;
}

void Worker::start(Napi::Env env) {
  if (stopping_) throw Failure{"CLOSED", "the session is closed"};
  if (thread_.joinable()) return;
  if (done_ == nullptr) {
    const napi_value name = Napi::String::New(env, "polytrace.worker");
    const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                                               this, settle_promise, &done_);
    if (status != napi_ok) throw Failure{"NO_MEMORY", "there is not enough memory", ENOMEM};
    napi_unref_threadsafe_function(env, done_);
  }
  try {
    // the thread inherits the mask, so signals go to other threads
    const BlockedSignals blocked;
    thread_ = std::thread([this] { work_loop(); });
  } catch (const std::system_error& error) {
    throw Failure{"NO_THREAD", "the worker of the session needs one", error.code().value()};
  }
}

void Worker::work_loop() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job->result = job->work();
    } catch (...) {
      job->failure = std::current_exception();
    }
    Job* done = job.get();
    const std::scoped_lock lock(mutex_);
    if (napi_call_threadsafe_function(done_, done, napi_tsfn_nonblocking) == napi_ok) {
      (void)job.release();  // settle_promise() owns it
    } else {
      unsettled_ = std::move(job);  // the environment is ending: stop() destroys the job on the JavaScript thread
      return;
    }
  }
}

// `env` is null when the environment ends.
void Worker::settle_promise(napi_env raw, napi_value, void* worker, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (raw == nullptr) {
    job->owner.SuppressDestruct();
    return;
  }
  auto* self = static_cast<Worker*>(worker);
  const Napi::Env env(raw);
  if (--self->pending_ == 0) napi_unref_threadsafe_function(env, self->done_);
  try {
    const Napi::HandleScope scope(env);
    try {
      if (job->failure) std::rethrow_exception(job->failure);
      job->promise.Resolve(job->result ? job->result(env) : env.Undefined());
    } catch (...) {
      job->promise.Reject(caught_error(env).Value());
    }
  } catch (...) {
    // the environment is ending: no code waits for the promise
  }
  if (self->ends_ && self->pending_ == 0) self->stop();  // the job still holds the worker's owner
}

void Worker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  jobs_.clear();
  unsettled_.reset();
  if (done_ != nullptr) napi_release_threadsafe_function(done_, napi_tsfn_abort);
  done_ = nullptr;
}

}  // namespace polytrace
