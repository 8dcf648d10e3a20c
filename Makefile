GO ?= go
SEEDS ?= 10000
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

build: ## build bin/chairlift and the example game
	$(GO) build -ldflags "-s -w -X main.version=$(VERSION)" -o bin/chairlift ./cmd/chairlift
	$(GO) build -o bin/arena ./examples/arena
	$(GO) build -o bin/arena-bot ./examples/arena/bot

demo: build ## build, then watch bots play on game servers that Chairlift starts
	./bin/chairlift demo

test: ## everything that decides whether a change is right
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	@$(MAKE) --no-print-directory gen-check
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...
	@mkdir -p bin && $(GO) build -o bin/testreport ./internal/tidy/testreport
	$(GO) test -race -timeout 15m -json ./... | ./bin/testreport
	@$(MAKE) --no-print-directory sim SEEDS=10000

test-clients: ## send every AWS client on the same journey against a real service
	@mkdir -p bin && $(GO) build -o bin/testreport ./internal/tidy/testreport
	$(GO) vet -C internal/clients/golang ./...
	$(GO) test -count 1 -timeout 15m -json ./internal/clients/... | ./bin/testreport

record-clients: ## the same, and write down what the clients set and read, for docs/coverage.md
	$(GO) run -C internal/clients/golang ./gov1 -members > internal/clients/testdata/members-2019.txt
	$(GO) test -count 1 -timeout 15m -run TestClients ./internal/clients -record
	@$(MAKE) --no-print-directory coverage

coverage: ## write docs/coverage.md from the source and the recorded journeys
	$(GO) run ./internal/clients/coverage

sim: ## play worlds by their seeds, SEEDS of them: make sim SEEDS=100000
	@mkdir -p bin
	$(GO) test ./internal/sim -run Sim -count 1 -timeout 24h -v -artifacts -outputdir bin -seeds $(SEEDS)

sim-mutants: ## break the code in one place at a time and see who notices: make sim-mutants ARGS='-filter engine/handle -limit 1h'
	nice $(GO) run ./internal/sim/mutants $(ARGS)

gen: ## write generated code anew
	$(GO) generate ./...

gen-check: ## fail if generated code is not what the generator writes
	@before=$$(mktemp -d) && trap 'rm -rf "$$before"' EXIT && cp -r api "$$before" && $(GO) generate ./... && diff -rq "$$before/api" api || \
		{ echo "generated code differs: run 'make gen' and commit the result"; exit 1; }

bench: ## run the benchmarks that docs/performance.md records
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: help build demo test test-clients record-clients coverage sim sim-mutants gen gen-check bench
