#!/bin/bash
# Compares what a tracer reports with and without its optimizer and its path cache. `npm run test:nightly -- switches`
# runs it. First, random programs run generic and optimized, in an interpreter. Then two tracers, one with both switches
# off, load the policies of the kernel matrix and report the same calls: by fentry and kprobe, on two kernels.
set -euo pipefail
cd "$(dirname "$0")/.."
export POLYTRACE_NIGHTLY=1
npx mocha --require tsx/cjs test/native/optimizer.test.ts
for kernel in 6.12 6.1; do
	node test/vm/run-suite.mjs --kernel "$kernel" test/kernel/switches.test.ts
done
