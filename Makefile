# Everything a contributor types. Needs Go and make; the rest is installed when it is missing.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD := $(shell git rev-parse --short=7 HEAD 2>/dev/null || echo 0000000)
LDFLAGS := -X b3scale/internal/app.Version=$(VERSION) -X b3scale/internal/app.Build=$(BUILD) \
	-X main.Version=$(VERSION) -X main.Build=$(BUILD)

# The version comes from the line above. Go's own stamping stops the build where git refuses the
# checkout (another owner, as in containers).
GOFLAGS += -buildvcs=false
export GOFLAGS

.DEFAULT_GOAL := help
.PHONY: help build generate demo test check lint docs bench fuzz soak release helm clean-room

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## static binaries of every command into bin/
	@scripts/fetch-modules
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

generate: ## make what comes from the contract of the REST API: types, routes, client, page
	@scripts/generate

# Built and then run in make's place, not `go run`: a signal must reach the demo, not a parent that dies first.
demo: ## a gateway with three simulated BBB servers; ARGS=--once drives one meeting through and exits
	@scripts/fetch-modules
	@CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/b3scale-demo
	@exec bin/b3scale-demo $(ARGS)

# The cluster's tests take longest, on one processor: they begin first.
test: ## install what the tests need, then run all of them; TESTFLAGS='-run …' to choose
	@scripts/install-test-needs
	go test $(TESTFLAGS) ./internal/cluster ./...

check: ## format, vet, dependencies, licences, generated code, lint, tests with the race detector
	@scripts/check

lint: ## golangci-lint in the version that tools/go.mod pins; ARGS=--fix mends what it can
	go tool -modfile=tools/go.mod golangci-lint run ./... $(ARGS)

docs: ## the documentation as static pages, in dist/docs
	@rm -rf dist/docs
	@go run ./docs/sitegen . dist/docs

bench: ## benchmarks, as ratios to a bare net/http floor; ARGS are passed on
	go run ./bench $(ARGS)
	go test -run '^$$' -bench BenchmarkEvents -benchtime 100000x ./internal/cluster

fuzz: ## every fuzz target for FUZZTIME=30s each
	@scripts/fuzz

soak: ## long chaos and load tests for DURATION=10m with SEED=n (default: the time)
	@scripts/soak

release: ## packages, archives, checksums into dist/; VERSION=v1.2.3 names it, ARGS are passed on
	@scripts/release -version '$(VERSION)' -build '$(BUILD)' $(ARGS)

helm: ## let helm itself lint and render the chart; compiles helm first, which takes minutes
	@deploy/helm/check

clean-room: ## prove in a minimal Debian that a fresh clone needs Go and make only (root)
	@scripts/clean-room
