// Runs a BPF program for each process.
#pragma once

#include <bpf/libbpf.h>

#include <vector>

namespace polytrace {

// Runs an iterator over all tasks. Returns the bytes that it writes.
std::vector<char> run_task_iterator(const bpf_program* program);

}  // namespace polytrace
