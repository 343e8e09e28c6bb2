#!/bin/bash
# npm test: installs missing packages, then runs every tier but kubernetes. npm test -- all runs that one, too, and
# npm test -- unit | browser | bench | fuzz | native | kernel | kubernetes only the named tiers.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
"  " | *" all "* | *" kernel "* | *" kubernetes "*) bash scripts/setup.sh --vm ;;
*) bash scripts/setup.sh ;;
esac
case " $* " in
*" all "* | *" kubernetes "*) node test/kubernetes/binaries.mjs ;;
esac
exec node scripts/run-tests.mjs "$@"
