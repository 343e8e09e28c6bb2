#!/bin/bash
# npm run bench: installs missing packages, counts instructions in the virtual machine and measures events here.
# bench/run.mts lists the arguments. --host and --short need no virtual machine.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
*" --kernel "* | *" --filters "* | *" --counted "* | *" --limits "*) bash scripts/setup.sh --vm ;;
*" --host "* | *" --nodes "* | *" --cgroups "* | *" --rest "* | *" --rates "* | *" --clients "* | *" --short "*) bash scripts/setup.sh ;;
*) bash scripts/setup.sh --vm ;;
esac
exec node --import tsx bench/run.mts "$@"
