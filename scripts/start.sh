#!/bin/bash
# npm start: sets up, shows what this kernel supports, and runs the demonstration, natively or in a virtual machine.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh

node dist/cli/main.js preflight || true
echo
if [ "$(id -u)" != 0 ]; then
	echo "start: the demonstration needs root: run 'npm start' as root" >&2
	exit 3
fi
if node -e 'process.exit(require("./dist/index.js").preflight().canAttachKprobes ? 0 : 1)'; then
	echo "The file-monitoring policy on this kernel:"
	exec node scripts/demo.mjs
fi
echo "This kernel cannot attach kprobes: policies (see the table above), so the same runs in a virtual machine with Debian's"
echo "kernel (software emulation: about half a minute)."
bash scripts/setup.sh --vm
exec node test/vm/run.mjs --timeout 300 'node scripts/demo.mjs'
