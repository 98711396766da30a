#!/usr/bin/env bash
# Prints the manifests of a kustomization with the image IMG, for the operator and
# for the desks that it runs.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$1
image=${IMG:?IMG is empty: name the image of the operator}
mkdir -p bin
overlay=$(mktemp -d bin/kustomize-XXXXXX)
trap 'rm -rf "$overlay"' EXIT
cp config/operator/image.yaml "$overlay/"
{
	printf 'resources: [../../%s]\nreplacements: [{path: image.yaml}]\nimages:\n- name: deskfleet.local/deskfleet\n' "$base"
	name=${image%@*}
	if [[ $image == *@* ]]; then
		printf '  digest: "%s"\n' "${image#*@}"
	elif [[ ${name##*/} == *:* ]]; then
		printf '  newTag: "%s"\n' "${name##*:}"
	else
		printf '  newTag: latest\n'
	fi
	if [[ ${name##*/} == *:* ]]; then name=${name%:*}; fi
	printf '  newName: "%s"\n' "$name"
} > "$overlay/kustomization.yaml"
go tool -modfile=go.tools.mod kustomize build "$overlay"
