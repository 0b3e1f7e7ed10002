# What this project can do from the command line. `make` alone lists it.
# ARGS is handed on: make test ARGS="-k planner", make bench ARGS="--only session", make lock ARGS=--upgrade

.DEFAULT_GOAL := help
.PHONY: help run test race hundred dashboard model mutants faults engines swarm compose soak check audit bench bench-quick bench-agree image image-full schema lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up what is missing (packages, Docker, images), then run the controller
	@scripts/setup run $(ARGS)

test: ## set up the same, then run the tests, on real containers
	@scripts/setup test $(ARGS)

race: ## API, editor and git write one desired state, the controller killed in between
	@RACE=15 scripts/setup test -raP tests/integration/test_race.py tests/integration/test_git_race.py $(ARGS)

hundred: ## a hundred users in one edit of the file, on real containers: a minute or two
	@HUNDRED=1 scripts/setup test tests/e2e/test_hundred.py $(ARGS)

dashboard: ## every view, and a day of thirty sessions; PICTURES=docs/images keeps the pictures
	@DASHBOARD=1 scripts/setup test -raP tests/e2e/test_dashboard*.py $(ARGS)

model: ## every fault at every point of short histories, then MODEL=300 random ones
	@MODEL=$${MODEL:-300} scripts/setup test -raP tests/model $(ARGS)

mutants: ## plant each known bug in a copy of the tree, and show which test finds it
	@scripts/setup dev
	@.venv/bin/python -m tests.mutants.hunt $(ARGS)

faults: ## Docker engines that are killed, hang and lie, as root; FAULTS=5: more of it
	@FAULTS=$${FAULTS:-1} scripts/alone .venv/bin/python -m pytest -v tests/faults --dist loadfile --no-loadscope-reorder \
	  --tx "2*popen//python=scripts/apart .venv/bin/python" $(ARGS)

soak: ## such faults for HOURS=1, and whether memory stays flat; draws soak.svg
	@scripts/alone .venv/bin/python -m bench.soak --hours $(or $(HOURS),1) $(ARGS)

engines: ## newer Docker engines, those of Debian, as root; ENGINES="trixie forky" chooses
	@scripts/engines $(ARGS)

swarm: ## a swarm of three nodes on this machine, and nodes that are lost, as root
	@SWARM=1 scripts/alone .venv/bin/python -m pytest tests/swarm tests/contract/test_engine.py $(ARGS)

compose: ## the controller as a container (deploy/compose.yaml), killed and restarted
	@scripts/compose $(ARGS)

check: ## style, types, layers, lock files, alert rules: what can be judged without running
	@scripts/setup dev
	@scripts/check

audit: ## write SBOMs to sbom/, and ask PyPI and npm what is known to be vulnerable
	@scripts/setup dev
	@scripts/audit $(ARGS)

bench: ## measure all, and write docs/performance.md: twenty minutes of a machine at rest
	@scripts/setup bench --page $(ARGS)

bench-quick: ## the same with few users, on the terminal alone: under five minutes
	@scripts/setup bench --quick $(ARGS)

bench-agree: ## whether two runs agree within 15 %: RUNS="bench-1.json bench-2.json"
	@.venv/bin/python -m bench.page $(RUNS)

image: ## build the session image, if its sources in matlab/ changed
	@scripts/setup image

image-full: ## build matlab-session:octave-full, with Octave's packages for control, signals, …
	@scripts/setup image-full

schema: ## write desired_state.schema.json, which editors check desired_state.yaml by
	@scripts/setup dev
	@.venv/bin/matlabctl schema >desired_state.schema.json

lock: ## choose versions of all packages anew (ARGS=--upgrade: the newest)
	@scripts/setup dev
	@scripts/lock $(ARGS)

clean: ## remove .venv, caches and the built pages; never sessions, images or data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	rm -rf .engines matlab/page/dist matlab/page/node_modules controller/web/dist controller/web/node_modules sbom
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
