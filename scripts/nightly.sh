#!/bin/bash
# npm run test:nightly: runs the tests that take too long for each commit, one after the other. A failed step does not
# stop the others; failed steps are listed at the end. npm run test:nightly -- STEP... runs some of the steps.
set -uo pipefail
cd "$(dirname "$0")/.."
export POLYTRACE_NIGHTLY=1
declare -A commands=(
	[tiers]="POLYTRACE_SEED=$RANDOM bash scripts/test.sh unit native kernel kubernetes"
	[lint]="bash scripts/setup.sh --vm --packages && npm run --silent build:native && npm run --silent lint"
	[noise]="bash scripts/setup.sh --vm && npm run --silent build && node test/vm/run-suite.mjs --append vm.systemd --grep 'all together' test/kernel/policy-library.test.ts"
	[packages]="npm run --silent test:packages"
	[documentation]="bash scripts/setup.sh --vm --packages && npm run --silent prebuilds -- x64 && npm run --silent test:documentation"
	[sanitize]="npm run --silent test:sanitize"
	[fuzz]="bash scripts/setup.sh --fuzz && npm run --silent fuzz"
	[switches]="bash scripts/setup.sh --vm && bash scripts/compare-switches.sh"
	[kernels]="bash scripts/setup.sh --vm --packages && npm run --silent prebuilds -- x64 && POLYTRACE_ADDON=prebuilt npm run --silent test:kernels"
	[arm64]="npm run --silent test:arm64"
	[soak]="npm run --silent build && npx mocha --require tsx/cjs agent/test/soak/soak.test.ts"
	[run]="npm run --silent build && node scripts/nightly-run-packages.mjs"
	[bench]="npm run --silent bench -- --kernel --counted --growth"
)
steps=("$@")
[ $# -gt 0 ] || steps=(lint tiers noise packages documentation sanitize fuzz switches kernels arm64 run bench soak)
for step in "${steps[@]}"; do
	[ -n "${commands[$step]-}" ] || { echo "nightly: no step $step: one of ${!commands[*]}" >&2 && exit 2; }
done
failed=()
for step in "${steps[@]}"; do
	printf '\n==== nightly: %s\n' "$step"
	begun=$SECONDS
	bash -c "${commands[$step]}" || failed+=("$step")
	echo "nightly: $step took $((SECONDS - begun)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "nightly: failed: ${failed[*]}"
	exit 1
fi
echo "nightly: ${#steps[@]} steps passed"
