#!/usr/bin/env bash
# Runs the simulator. Each peer is a module of its own, since they want different
# versions of Kubernetes; one that cannot be built is told of and left out. They
# are tests, since virtual time for unchanged code exists in tests only.
set -euo pipefail
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/scaling" .
peers=()
for module in peers/*/; do
	[ -f "$module/go.mod" ] || continue
	name=$(basename "$module")
	if (cd "$module" && nice -n 10 go test -c -o "$bin/$name" .) 2> "$bin/$name.log"; then
		peers+=(-peer "$bin/$name")
	else
		echo "peer $name is left out, as it cannot be built here:" >&2
		tail -n 3 "$bin/$name.log" >&2
	fi
done
"$bin/scaling" "${peers[@]}" "$@"
