#!/usr/bin/env bash
# Writes the golden files anew, in the packages whose tests have an -update flag.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t packages < <(git grep -l --untracked 'flag.Bool("update"' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's|^|./|')
if ((${#packages[@]})); then
	go test -count=1 "${packages[@]}" -update
fi
