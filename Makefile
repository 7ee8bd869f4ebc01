# Each target makes its own environment (.venv) and installs into it what it needs; nothing else on the machine is
# touched. PYTHON=python3.12 takes that Python, in an environment of its own (.venv-3.12).

MAKEFLAGS += --no-print-directory
export PYTHON

# Tests of these folders start processes, proxies and servers. `make unit` leaves them out.
REAL_PARTS := tests/adapters/local tests/adapters/traefik tests/adapters/consul tests/adapters/swarm tests/docs \
  tests/examples tests/end_to_end tests/lab tests/loss tests/matrix tests/testing/test_all_adapters.py
# What pytest gets besides: make test TESTS="tests/gates -x"
TESTS ?=
# Anything: also what takes minutes more.
ALL ?=

.PHONY: help demo test unit guards lint

help: ## Show what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: ## Seven deployments of a small service under load, on this machine; the last line is the verdict as JSON
	@scripts/with-environment demo python examples/demo

test: ## Everything there is to test, with a summary of what was skipped and why; ALL=1 tries the newer engine too
	@ZDD_TEST_ALL=$(ALL) scripts/with-environment dev pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

unit: ## The tests that start no processes
	@scripts/with-environment dev pytest $(addprefix --ignore=,$(REAL_PARTS)) $(TESTS)

guards: ## Take each guard of the reconciler away in turn, and show the cases that go wrong without it
	@scripts/with-environment dev python tests/reconciler/print_guards.py

lint: ## Style, types, and the layers that may import each other
	@scripts/with-environment dev scripts/lint

.PHONY: lab lab-down

lab: ## A Docker Engine of its own with a swarm and a registry, for tests; see tests/lab
	@scripts/with-environment dev python tests/lab up

lab-down: ## End the lab; nothing of it is left
	@scripts/with-environment dev python tests/lab down

.PHONY: simulate

# How many lives of each strategy `make simulate` plays.
SEEDS ?= 500

simulate: ## Lives of services drawn from seeds, with everything going wrong; the last line is the figures as JSON
	@scripts/with-environment dev python tests/simulation --seeds $(SEEDS) --figures $(or $(FIGURES),build/simulation.json)

.PHONY: measure

# Up to how many instances `make measure` simulates.
MOST ?= 10000

measure: ## How many deployments are simulated a second, and how the time grows from 10 to 10,000 instances; minutes
	@scripts/with-environment dev python tests/simulation/measure.py --most $(MOST)

.PHONY: loss

# How many requests are sent and how many instances are removed under load by `make loss`, at least.
REQUESTS ?= 100000
REMOVALS ?= 300
# A file that keeps what came of each case: a run that was interrupted goes on with the others.
FIGURES ?=
# Anything: also the same cases with Swarm's own update, by the docker client, in place of zdd.
PEER ?=

loss: ## What strict clients lose while instances are replaced on a real swarm; the last line is the verdict as JSON
	@scripts/with-environment dev python tests/loss --requests $(REQUESTS) --removals $(REMOVALS) \
	  $(addprefix --figures ,$(FIGURES)) $(if $(PEER),--deployer both) $(CASES)

.PHONY: matrix

# A part of the points of `make matrix`: 2/5 is the second of five. Without it, all are tried, which takes about an hour.
PART ?=
# What `make matrix` gets besides: make matrix POINTS="--strategies BlueGreen --jobs 1"
POINTS ?=

matrix: ## A deployer killed at all that it writes or changes, on real processes; the last line is the verdict as JSON
	@scripts/with-environment dev python tests/matrix $(addprefix --part ,$(PART)) $(POINTS)
