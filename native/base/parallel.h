// Makes slow calls of the kernel on several threads in parallel, so that all together take as long as one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "base/signals.h"

namespace polytrace {

constexpr size_t PARALLEL_THREADS = 16;

// Calls `run` with each number below `count`, and returns when all calls are done. `run` must not throw. It also works
// without memory and without further threads, so that closing always succeeds.
template <typename Run>
void run_in_parallel(size_t count, const Run& run) noexcept {
  std::atomic<size_t> next{0};
  const auto run_each = [&] {
    for (size_t i = next++; i < count; i = next++) run(i);
  };
  std::array<std::thread, PARALLEL_THREADS - 1> threads;
  try {
    for (size_t i = 0; i + 1 < std::min(PARALLEL_THREADS, count); i++) threads[i] = std::thread(run_each);
  } catch (const std::exception&) {
    // no further thread can be started: fewer threads take longer
  }
  run_each();
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
}

// Calls `run` on a thread that blocks signals. If no further thread can be started, get() calls it.
template <typename Run>
auto start_thread(Run run) {
  try {
    const BlockedSignals blocked;  // the thread inherits the mask
    return std::async(std::launch::async, run);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, std::move(run));
  }
}

}  // namespace polytrace
