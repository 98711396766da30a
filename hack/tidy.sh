#!/usr/bin/env bash
# Tidies every module of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

go mod tidy
while read -r module; do
	(cd "$(dirname "$module")" && go mod tidy)
done < <(git ls-files --cached --others --exclude-standard 'hack/*go.mod')

# With -modfile, tidy would add all that the product imports. In a folder of its
# own the modfile has nothing but its tools.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp go.tools.mod "$folder/go.mod"
cp go.tools.sum "$folder/go.sum"
(cd "$folder" && go mod tidy)
cmp -s "$folder/go.mod" go.tools.mod || cp "$folder/go.mod" go.tools.mod
cmp -s "$folder/go.sum" go.tools.sum || cp "$folder/go.sum" go.tools.sum
