#!/usr/bin/env bash
# kubectl on the cluster that CLUSTER names: local (the one of "make cluster") or
# existing (the current kubeconfig).
set -euo pipefail
cd "$(dirname "$0")/.."

kubectl=$(command -v kubectl || true)
case ${CLUSTER:-local} in
local)
	# The version of the cluster; that of PATH may be too old or too new for it.
	kubectl=$(go run ./hack/cluster binaries)/kubectl
	KUBECONFIG=$(go run ./hack/cluster kubeconfig)
	export KUBECONFIG
	;;
existing)
	[[ -n $kubectl ]] || kubectl=$(go run ./hack/cluster binaries)/kubectl
	;;
*)
	echo "CLUSTER is ${CLUSTER}: use local or existing" >&2
	exit 2
	;;
esac
# Plugins that were built here, such as "kubectl desk", and the kubectl that they are to use.
export PATH="$PWD/bin:$PATH" KUBECTL=$kubectl
exec "$kubectl" "$@"
