#!/usr/bin/env bash
# Runs the given make targets; whatever they change or complain about is an error.
# All are run, so that one look shows all faults.
set -euo pipefail
cd "$(dirname "$0")/.."

changes() { git status --porcelain --untracked-files=all; }

before=$(changes)
if [[ -n $before ]]; then
	printf 'verify: these changes are not committed; only what is added to them is an error:\n%s\n' "$before" >&2
fi
# What is changed already must not change further.
content() { changes | while read -r _ file; do [[ -f $file ]] && sha256sum "$file"; done || true; }
before_content=$(content)

failed=()
for target in "$@"; do
	started=$SECONDS
	if "${MAKE:-make}" --no-print-directory "$target"; then
		echo "verify: $target took $((SECONDS - started)) s" >&2
	else
		failed+=("$target")
		echo "verify: $target failed" >&2
	fi
done

if [[ $(changes) != "$before" || $(content) != "$before_content" ]]; then
	failed+=('the tree, which is not what the targets make of it')
	git --no-pager diff
	changes
fi
if ((${#failed[@]})); then
	printf 'verify: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo 'verify: all is as it should be'
