# Needs Node 20.19 or newer; Java 17 and Maven (or Docker, or a Kafka and a MongoDB of yours) for what talks to them.
.DEFAULT_GOAL := help
.PHONY: help setup build runnable fetch-services check types lint test unit types-test conformance simulation sim fuzz fuzz-files integration e2e run-local submit push-image run-dataflow-local run-batch producers services services-down bench bench-portable bench-peers bench-hot-key bench-files bench-codecs api pack clean bench-growth

PROGRAM := node dist/pipeline/main.js
FROM_SOURCE := --conditions=order-payment-stream-source --import tsx

help: ## This list
	@echo "Joins orders and payments from Kafka and writes each pair once to MongoDB. Two commands to begin with:"
	@echo "  make run-local    start everything      make test    run all tests"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: node_modules/.package-lock.json ## Install the packages (done by every target that needs them)

node_modules/.package-lock.json: package-lock.json
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a < 20 || (a === 20 && b < 19)) { console.error("Node 20.19 or newer is needed; this is " + process.version); process.exit(1); }'
	npm ci --no-audit --no-fund
	@touch $@

build: setup ## Compile to dist/
	@npm run --silent build

# For what somebody wants to see run: types are not looked at.
runnable: setup
	@node scripts/build.mjs --quick

# What a first run needs is fetched beside the packages and the compiler.
fetch-services:
	@node scripts/fetch_services.mjs &

check: types lint unit ## Types, lint and unit tests, in under a minute

types: setup
	npx tsc --noEmit

lint: setup
	npx biome check --error-on-warnings .

test: types lint build ## All tests; the last line counts what passed, failed and was skipped
	@TEST_PROGRAM=dist node scripts/run_tests.mjs

unit: setup ## Unit tests
	@node scripts/run_tests.mjs unit

types-test: setup ## Check that wrong programs do not compile
	@node scripts/run_tests.mjs types

conformance: setup ## Test the rules of the Beam model on every available runner; writes the table of docs/runners.md
	@CONFORMANCE_TABLE=write node scripts/run_tests.mjs conformance

simulation: setup ## The whole pipeline in a simulated world: a thousand seeds with faults, and planted bugs
	@node scripts/run_tests.mjs simulation

sim: setup ## One simulated run with its trace, or many [SEED=n COUNT=m ARGS="--store=memory --save=NAME …"]
	@node $(FROM_SOURCE) test/simulation/main.ts $(if $(SEED),--seed=$(SEED)) $(if $(COUNT),--count=$(COUNT)) $(ARGS)

fuzz: setup ## Send mutated records through the whole read path [SECONDS=60 SEED=n RECORDS=1000000]
	@SECONDS="$(SECONDS)" SEED="$(SEED)" RECORDS="$(RECORDS)" node $(FROM_SOURCE) test/fuzz/main.ts

fuzz-files: setup ## Read mutated files [FILES=100000 SEED=n]
	@FILES="$(FILES)" SEED="$(SEED)" node $(FROM_SOURCE) test/fuzz/files_main.ts

integration: setup ## Tests against a real Kafka and a MongoDB-protocol server, which it starts
	@node scripts/run_tests.mjs integration

e2e: build ## Tests of producers, pipeline and MongoDB together, against an independent oracle
	@TEST_PROGRAM=dist node scripts/run_tests.mjs e2e

run-local: fetch-services runnable ## Start what is missing, generate load, join it, show progress [DURATION=30s RATE=1000 ARGS=…]
	@$(PROGRAM) run-local $(if $(DURATION),--duration=$(DURATION)) $(if $(RATE),--rate=$(RATE)) $(ARGS)

submit: build ## Submit to Google Cloud Dataflow, and follow the job [ARGS="--dry_run", settings as in .env.example]
	@$(PROGRAM) run --runner=dataflow $(ARGS)

run-batch: runnable ## Generate a day of events in files, once, and join them to files [COUNT=100000 ARGS="--sink=mongodb"]
	@test -d .local/history || $(PROGRAM) produce all --to=files --to_path=.local/history --backfill $(if $(COUNT),--count=$(COUNT))
	@rm -rf .local/results
	@$(PROGRAM) run --orders='.local/history/orders/*.avro' --payments='.local/history/payments/*.avro' --sink=jsonl --sink_path=.local/results $(ARGS)

run-dataflow-local: runnable ## Submit to a fake of Dataflow on this machine, which runs the job under load [DURATION=30s RATE=500 ARGS=…]
	@$(PROGRAM) run-dataflow-local $(if $(DURATION),--duration=$(DURATION)) $(if $(RATE),--rate=$(RATE)) $(ARGS)

push-image: ## Build the worker image and the Flex Template with Cloud Build [IMAGE=REGION-docker.pkg.dev/… TEMPLATE=gs://…/order-payment-stream.json]
	@test -n "$(IMAGE)" && test -n "$(TEMPLATE)" || { echo "IMAGE and TEMPLATE say where to: make push-image IMAGE=us-central1-docker.pkg.dev/PROJECT/beam/order-payment-stream:1 TEMPLATE=gs://BUCKET/templates/order-payment-stream.json"; exit 2; }
	gcloud builds submit --config=deploy/cloudbuild.yaml --substitutions="_IMAGE=$(IMAGE),_TEMPLATE=$(TEMPLATE)" .

producers: runnable ## Send orders and payments until Ctrl-C [ARGS="--rate=500 --count=10000 …"]
	@$(PROGRAM) produce all $(ARGS)

services: fetch-services runnable ## Start Kafka and MongoDB in the background, unless they are running
	@$(PROGRAM) services up

services-down: runnable ## Stop them, if they were started from here
	@$(PROGRAM) services down

bench-peers: setup ## Compare with Kafka Streams, Flink and a plain consumer, on the same topics [ARGS="--events=1000000 --runs=3"]
	@node $(FROM_SOURCE) bench/peers/main.ts $(ARGS)

bench: setup ## Measure events per second, latency and memory, beside the ceilings [ARGS=…]
	@node $(FROM_SOURCE) bench/main.ts $(ARGS)

bench-portable: setup ## Measure a job on a portable runner [SHAPE=counter|product RUNNER=flink|prism ARGS="--runs=3 …"]; counter: beside Beam's Python SDK, on Prism
	@node $(FROM_SOURCE) bench/portable/$(if $(filter product,$(SHAPE)),product_main,main).ts $(if $(RUNNER),--runner=$(RUNNER)) $(ARGS)

bench-hot-key: setup ## Measure very many events of one order_id, in all shapes [ARGS="--events=10000,100000 --synced"]
	@node $(FROM_SOURCE) bench/hot_key.ts $(ARGS)

bench-growth: setup ## Measure how cost grows with waiting events, events of a key and partitions, and what idling costs [ARGS="--only=idle"]
	@node $(FROM_SOURCE) bench/growth/main.ts $(ARGS)

bench-files: setup ## Measure history in Avro files of 1, 5 and 10 million events [ARGS="--events=1000000 --codecs=snappy"]
	@node $(FROM_SOURCE) bench/files.ts $(ARGS)

bench-codecs: setup ## Measure how fast each codec decompresses
	@node $(FROM_SOURCE) bench/codecs.ts $(ARGS)

pack: build ## Pack the packages of the library as tarballs, in .local/packages
	@node scripts/pack.mjs

api: setup ## Write the API reference of the library, as HTML in .local/api
	npx typedoc

clean: ## Stop the services started from here, then remove dist/ and .local/ (their jars and data)
	@if [ -d .local ] && [ -d node_modules/tsx ]; then node $(FROM_SOURCE) pipeline/main.ts services down; fi
	rm -rf dist .local
