// Calls that wait for the kernel, on several threads at once: together they wait no longer than one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace polytrace {

constexpr size_t PARALLEL_THREADS = 16;

// Calls `run` with each number below `count`, and returns when all are done. `run` may not throw.
template <typename Run>
void in_parallel(size_t count, const Run& run) {
  std::atomic<size_t> next{0};
  const auto run_each = [&] {
    for (size_t i = next++; i < count; i = next++) run(i);
  };
  std::vector<std::thread> threads;
  try {
    while (threads.size() + 1 < std::min(PARALLEL_THREADS, count)) threads.emplace_back(run_each);
  } catch (const std::system_error&) {
    // there is no room for another thread: fewer take longer
  }
  run_each();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace polytrace
