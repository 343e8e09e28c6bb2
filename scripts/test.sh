#!/bin/bash
# npm test: installs missing packages, then runs every tier. npm test -- unit | bench | fuzz | native | kernel runs only
# the named tiers.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
"  " | *" kernel "*) bash scripts/setup.sh --vm ;;
*) bash scripts/setup.sh ;;
esac
exec node scripts/run-tests.mjs "$@"
