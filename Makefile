# What this project can do from the command line. `make` alone lists it.
# ARGS is handed on: make test ARGS="-k planner", make bench ARGS="--only session", make lock ARGS=--upgrade

.DEFAULT_GOAL := help
.PHONY: help run test race hundred dashboard model mutants faults engines compose soak check audit bench image image-full schema lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up what is missing (Python packages, Docker engine, images), then run the controller
	@scripts/setup run $(ARGS)

test: ## set up the same, then run every test, on real containers
	@scripts/setup test $(ARGS)

race: ## API, editor and git write one desired state thousands of times, the controller killed in between: some minutes
	@RACE=15 scripts/setup test -rP tests/integration/test_race.py tests/integration/test_git_race.py $(ARGS)

hundred: ## a hundred users in one edit of the file, on real containers: a minute or two
	@HUNDRED=1 scripts/setup test tests/e2e/test_hundred.py $(ARGS)

dashboard: ## every view in a browser, and a day over thirty real sessions; PICTURES=docs/images keeps what is seen: three minutes
	@DASHBOARD=1 scripts/setup test -rP tests/e2e/test_dashboard*.py $(ARGS)

model: ## the loop on an engine in memory: every fault at every point of short histories, then MODEL=300 random ones: some minutes
	@MODEL=$${MODEL:-300} scripts/setup test -rP tests/model $(ARGS)

mutants: ## plant each known bug in a copy of the tree, and show which test finds it: some minutes
	@scripts/setup dev
	@.venv/bin/python -m tests.mutants.hunt $(ARGS)

faults: ## the controller on a Docker engine of its own that is killed, hangs and lies, as root; FAULTS=5: five times as many crash points
	@FAULTS=$${FAULTS:-1} scripts/alone .venv/bin/python -m pytest -rs -s tests/faults $(ARGS)

soak: ## the same for HOURS=1, and whether memory, descriptors, threads and disk stay flat: slopes, and a plot in soak.svg
	@scripts/alone .venv/bin/python -m bench.soak --hours $(or $(HOURS),1) $(ARGS)

engines: ## the engine's contract, what sessions try, healing and upgrades on newer Docker engines, Debian's, as root; ENGINES="trixie forky"
	@scripts/engines $(ARGS)

compose: ## the controller as a container by deploy/compose.yaml: built, killed, restarted, taken down, and its sessions outlive it
	@scripts/compose $(ARGS)

check: ## style, types, layers, lock files, alert rules: what can be judged without running
	@scripts/setup dev
	@scripts/check

audit: ## write what we are made of to sbom/ (CycloneDX) and ask PyPI and npm what of it is known to be vulnerable
	@scripts/setup dev
	@scripts/audit $(ARGS)

bench: ## set up the same, then measure session, desired state and controller against floors of the same run
	@scripts/setup bench $(ARGS)

image: ## build the session image, if its sources in matlab/ changed
	@scripts/setup image

image-full: ## build matlab-session:octave-full, with Octave's packages for control, signals, statistics, images, …
	@scripts/setup image-full

schema: ## write desired_state.schema.json, which editors check desired_state.yaml by
	@scripts/setup dev
	@.venv/bin/matlabctl schema >desired_state.schema.json

lock: ## choose versions of all packages anew and write the lock files (ARGS=--upgrade: the newest)
	@scripts/setup dev
	@scripts/lock $(ARGS)

clean: ## remove .venv, caches and the built pages; never sessions, images or data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	rm -rf .engines matlab/page/dist matlab/page/node_modules controller/web/dist controller/web/node_modules sbom
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
