# Needs Go, make, git and bash; everything else is pinned in go.tools.mod or built on first use.
# "make help" lists the targets. CI calls only these.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

GO ?= go
TOOL := $(GO) tool -modfile=go.tools.mod
MODULE := github.com/deskfleet/deskfleet

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)
# Time of the commit, so that equal sources give an equal image.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
LDFLAGS := -s -w -X $(MODULE)/internal/version.version=$(VERSION) -X $(MODULE)/internal/version.commit=$(COMMIT)
export SOURCE_DATE_EPOCH

# The image that "image" builds and "deploy" runs. The default is found in the local cluster only.
IMG ?= deskfleet.local/deskfleet:dev
ARCH ?= $(shell $(GO) env GOARCH)
# local: the cluster that "make cluster" starts. existing: the current kubeconfig.
CLUSTER ?= local
export CLUSTER IMG
KUBECTL := hack/kubectl.sh
APPLY := $(KUBECTL) apply --server-side --force-conflicts --field-manager=deskfleet-install -f -
DELETE := $(KUBECTL) delete --ignore-not-found -f -

# Packages to test, and flags for go test: make test PKG=./internal/bus/... TESTFLAGS="-run Tail -v"
PKG ?= ./...
TESTFLAGS ?=
BENCHTIME ?= 1s
GENERATED := api/v1alpha1/zz_generated.deepcopy.go api/v1alpha1/applyconfiguration config/crd/bases config/rbac docs/reference.md

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9%-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Develop

.PHONY: generate
generate: ## Generate deep copies, apply configurations, CRDs and RBAC roles
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd:allowDangerousTypes=false paths=./api/... output:crd:dir=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=deskfleet-manager paths=./controllers/... output:rbac:dir=config/rbac
	sed 's/^kind: ClusterRole$$/kind: Role/' config/rbac/role.yaml > config/rbac/namespaced/role.yaml

.PHONY: fmt
fmt: ## Format the Go files
	$(TOOL) golangci-lint fmt

.PHONY: lint
# The linter's cache is the checkout's own: entries of another checkout carry its paths, and escape the exclusions here.
lint: export GOLANGCI_LINT_CACHE = $(CURDIR)/.cache/golangci-lint
lint: ## Check the Go files: golangci-lint, staticcheck
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run
	$(TOOL) staticcheck ./...

.PHONY: tidy
tidy: ## Tidy all modules: the product's, the tools', the local cluster's
	hack/tidy.sh

.PHONY: docs
docs: ## Generate docs/reference.md from the API
	$(TOOL) crd-ref-docs --source-path=api/v1alpha1 --config=hack/reference/config.yaml \
		--renderer=markdown --output-path=docs/reference.md --log-level=ERROR

.PHONY: golden
golden: ## Write the golden files of the tests anew
	hack/golden.sh

.PHONY: verify
verify: ## Generate, format, tidy, document and lint; the tree must be clean after it
	hack/verify.sh generate fmt tidy docs golden build-installer lint

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what is called; says so and skips when offline
	hack/vulncheck.sh $(TOOL) govulncheck ./...

##@ Test

.PHONY: test
test: ## Run all tests with the race detector; control plane binaries and PostgreSQL are found, built or installed
	@hack/postgres.sh
	@binaries=$$($(GO) run ./hack/cluster binaries) && race=$$(hack/race.sh) && set -x && \
		KUBEBUILDER_ASSETS=$$binaries $(GO) test $$race -timeout 30m $(TESTFLAGS) $(PKG)

.PHONY: test-short
test-short: ## Run the quick tests, without the race detector
	$(GO) test -short $(TESTFLAGS) $(PKG)

.PHONY: e2e
e2e: ## Run the end-to-end tests on the local cluster, or CLUSTER=existing
	$(GO) test -tags e2e -count 1 -timeout 60m -v $(TESTFLAGS) ./internal/e2e

.PHONY: e2e-short
e2e-short: ## The end-to-end tests but the long ones
	$(GO) test -tags e2e -count 1 -timeout 30m -v -short $(TESTFLAGS) ./internal/e2e

.PHONY: e2e-scaling
e2e-scaling: ## A burst of 200 on the local cluster, with our decisions and faults, then with an HPA: figures side by side
	$(GO) test -tags e2e -count 1 -timeout 30m -v -run '^TestScaling' $(TESTFLAGS) ./internal/e2e

# Time of each long test, and a seed that a failed one has printed: make soak SOAK=1h SEED=17
SOAK ?= 10m
SEED ?= 0
.PHONY: soak
soak: ## Draw faults of real processes and of simulated ones for SOAK each; SEED plays those of a failed run again
	$(GO) test -count 1 -timeout 0 -v -run 'TestSoak|TestSchedules' $(TESTFLAGS) ./internal/fault -soak $(SOAK) -seed $(SEED)

BENCHES := bench-bus bench-escalation bench-knowledge bench-routing
.PHONY: $(BENCHES)
bench-bus: ## Measure append, tail and publish on an embedded bus
bench-escalation: ## Measure compiling and evaluating policies
bench-knowledge: ## Measure retrieval: indexing, searching, quality
bench-routing: ## Measure matching of waiting conversations and agents
$(BENCHES): bench-%:
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(TESTFLAGS) ./internal/$*

.PHONY: bench-failover
bench-failover: ## Measure how long a desk does not serve when a process is killed, as JSON and a table
	$(GO) test -run '^$$' -bench Failover -benchtime 10x -timeout 30m $(TESTFLAGS) ./internal/fault

.PHONY: bench-load
bench-load: ## Put a desk of one process under load: exactness, latency, throughput beside the bus alone
	$(GO) build -o bin/deskfleet . && bin/deskfleet bench load $(BENCHFLAGS)

.PHONY: bench-retrieval
bench-retrieval: ## Measure retrieval beside plain BM25, on the data beside the checkout or ENTRIES=FILE QUERIES=FILE; BENCHFLAGS="-o json"
	$(if $(ENTRIES),$(GO) run . bench retrieval --entries '$(ENTRIES)' --queries '$(QUERIES)',$(GO) run ./hack/bench/retrieval) $(BENCHFLAGS)

.PHONY: bench-scaling
bench-scaling: ## Compare scaling policies in virtual time, the peers by their own code: TRACE=FILE, BENCHFLAGS="-o json -seeds 10"
	@hack/bench/scaling/run.sh $(if $(TRACE),-trace $(abspath $(TRACE))) $(BENCHFLAGS)

##@ Build

.PHONY: build
build: ## Build the static binary, bin/deskfleet
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/deskfleet .

.PHONY: plugin
plugin: build ## Build the plugin of kubectl, bin/kubectl-desk: put it into PATH
	ln -sf deskfleet bin/kubectl-desk

.PHONY: image
image: ## Build the image of IMG for ARCH without Docker, bin/image-ARCH.tar
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/linux-$(ARCH)/deskfleet .
	$(GO) run ./hack/image --ref '$(IMG)' --version '$(VERSION)' --revision '$(COMMIT)' --output bin/image-$(ARCH).tar bin/linux-$(ARCH)/deskfleet

.PHONY: image-push
image-push: ## Build for amd64 and arm64, and push to IMG with the credentials of docker login
	@[[ '$(IMG)' != deskfleet.local/* ]] || { echo 'IMG is $(IMG), which is no registry: say IMG=registry.example.com/deskfleet:TAG' >&2; exit 2; }
	for arch in amd64 arm64; do CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/linux-$$arch/deskfleet .; done
	$(GO) run ./hack/image --ref '$(IMG)' --version '$(VERSION)' --revision '$(COMMIT)' --push bin/linux-amd64/deskfleet bin/linux-arm64/deskfleet

.PHONY: build-installer
build-installer: ## Write dist/install.yaml: CRDs and operator, with IMG
	@mkdir -p dist
	hack/manifests.sh config/default > dist/install.yaml

.PHONY: clean
clean: ## Remove what was built here; caches stay
	rm -rf bin dist

##@ Cluster

.PHONY: cluster
cluster: ## Start a real Kubernetes on this machine (root)
	$(GO) run ./hack/cluster up

.PHONY: cluster-status
cluster-status: ## Show the components of the local cluster
	$(GO) run ./hack/cluster status

.PHONY: cluster-down
cluster-down: ## End the local cluster and remove everything it made (root)
	$(GO) run ./hack/cluster down

.PHONY: install
install: ## Apply the CRDs
	$(TOOL) kustomize build config/crd | $(APPLY)

.PHONY: uninstall
uninstall: ## Delete the CRDs, and with them every desk
	$(TOOL) kustomize build config/crd | $(DELETE)

.PHONY: deploy
deploy: ## Deploy the operator with IMG; the local cluster gets the image first
	@if [[ '$(CLUSTER)' == local ]]; then $(MAKE) image && $(GO) run ./hack/cluster load-image bin/image-$(ARCH).tar; fi
	@# A tag that stays the same changes no template: whoever runs an image of that name is told to take the new one.
	running=$$($(KUBECTL) -n deskfleet-system get deployment/deskfleet-manager --ignore-not-found -o name) && \
		hack/manifests.sh config/default | $(APPLY) && \
		if [[ -n $$running ]]; then $(KUBECTL) -n deskfleet-system rollout restart deployment/deskfleet-manager; fi
	$(KUBECTL) -n deskfleet-system rollout status deployment/deskfleet-manager --timeout=3m

.PHONY: undeploy
undeploy: ## Delete the operator; CRDs and desks stay
	hack/manifests.sh config/operator | $(DELETE)

.PHONY: demo
demo: ## Start a cluster, deploy, apply the web shop's desk and play customers against it
	$(GO) run ./hack/demo

.PHONY: demo-down
demo-down: ## Remove what "make demo" made
	$(GO) run ./hack/demo --down
