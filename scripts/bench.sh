#!/bin/bash
# npm run bench: sets up, then counts instructions in the virtual machine and events per second here. See bench/run.mjs.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh --vm
exec node bench/run.mjs "$@"
