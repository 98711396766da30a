#!/usr/bin/env bash
# Starts a real cluster, deploys the operator from this tree and applies the
# smallest desk: do the rights suffice, does the image start, are all children
# accepted and at work? Takes away what it made; a cluster that was up stays up.
set -euo pipefail
cd "$(dirname "$0")/.."
export CLUSTER=local

namespace=e2e-short
kubectl() { hack/kubectl.sh "$@"; }

show() {
	echo "e2e-short: what the cluster says" >&2
	kubectl get desk,pool,kb,escpol,deploy,sts,pods -A -o wide || true
	kubectl get events -A --sort-by=.lastTimestamp | tail -n 30 || true
	kubectl -n deskfleet-system logs deployment/deskfleet-manager --tail=50 || true
}

was_up=no
if go run ./hack/cluster status >/dev/null 2>&1; then was_up=yes; fi
finish() {
	local status=$?
	trap - EXIT
	((status == 0)) || show || true
	if [[ $was_up == no ]]; then
		go run ./hack/cluster down || status=1
	else
		kubectl delete namespace "$namespace" --ignore-not-found || status=1
		make --no-print-directory undeploy || status=1
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

make --no-print-directory cluster
make --no-print-directory install deploy

kubectl create namespace "$namespace"
kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted
kubectl -n "$namespace" apply -f config/samples/minimal.yaml
kubectl -n "$namespace" wait --for=condition=Ready --timeout=5m \
	servicedesk/hello agentpool/hello-bots agentpool/hello-people knowledgebase/hello escalationpolicy/hello
kubectl -n "$namespace" get desk,pool,kb,escpol,pods

log=$(kubectl -n deskfleet-system logs deployment/deskfleet-manager)
if grep -i 'forbidden' <<<"$log"; then
	echo 'e2e-short: the operator lacks a right, see above' >&2
	exit 1
fi
kubectl -n "$namespace" delete -f config/samples/minimal.yaml
kubectl -n "$namespace" wait --for=delete deployment,statefulset,service,networkpolicy -l app.kubernetes.io/managed-by=deskfleet --timeout=2m
echo 'e2e-short: ok'
