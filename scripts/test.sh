#!/bin/bash
# npm test: installs missing packages, then runs every tier but kubernetes. npm test -- unit | bench | fuzz | native |
# kernel | kubernetes runs only the named tiers.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
"  " | *" kernel "* | *" kubernetes "*) bash scripts/setup.sh --vm ;;
*) bash scripts/setup.sh ;;
esac
case " $* " in
*" kubernetes "*) node test/kubernetes/binaries.mjs ;;
esac
exec node scripts/run-tests.mjs "$@"
