# Needs Python 3.11+, make and git; brings uv into .uv/ when the machine has none.
UV := $(or $(shell command -v uv),$(CURDIR)/.uv/bin/uv)
RUN := $(UV) run --quiet
# the project that `make demo` writes and runs, and the one that lends template/ its environment
DEMO := build/demo
LIVING := build/living
PORT := 8000
PYTEST := $(RUN) pytest -n 2 --dist worksteal
# a process that may not keep what it compiles starts several times as slowly, and tests start many
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

.PHONY: demo
demo: | $(UV) ## Write a project with the default answers into build/demo and run it
	rm -rf $(DEMO)
	$(RUN) copier copy --defaults --quiet --vcs-ref HEAD . $(DEMO)
	@echo "The service starts on http://127.0.0.1:$(PORT)/docs - stop it with Ctrl-C."
	PATH="$(dir $(UV)):$$PATH" PORT=$(PORT) \
	UV_PYTHON="$${UV_PYTHON:-$$(python3 -c 'import sys; print(sys.executable)')}" \
	$(MAKE) --no-print-directory -C $(DEMO) run

.PHONY: test
test: | $(UV) ## Prove the template: every promise, from bad answers to running services
	$(PYTEST) -m "not proof"

.PHONY: quick
quick: | $(UV) ## Run the tests that take no more than two minutes together
	$(PYTEST) -m "not slow and not proof"

.PHONY: proof
proof: | $(UV) ## Run all tests, the longest too, and write into docs/proof.md what they prove
	$(PYTEST) --write-proof

.PHONY: lint
lint: living | $(UV) ## Check style and types of the repository and of template/ in place
	$(RUN) ruff check --extend-exclude template
	$(RUN) ruff format --check --extend-exclude template
	$(RUN) mypy
	$(RUN) scripts/sync_cookiecutter.py --check
	$(RUN) scripts/sync_readme.py --check
	# conditions stand between imports here; their order is checked in each project
	$(RUN) ruff check --extend-ignore I001 template
	cd template && ../$(LIVING)/.venv/bin/mypy

.PHONY: living
living: | $(UV) # the environment of a project with every feature on, for work on template/ in place
	rm -rf $(LIVING).new
	$(RUN) copier copy --defaults --quiet --vcs-ref HEAD --data-file presets/full.yml . $(LIVING).new
	mkdir -p $(LIVING)
	cp $(LIVING).new/pyproject.toml $(LIVING).new/README.md $(LIVING)/
	rm -rf $(LIVING).new
	$(UV) sync --quiet --project $(LIVING)

.PHONY: format
format: | $(UV) ## Format the code
	$(RUN) ruff check --fix --extend-exclude template
	$(RUN) ruff format --extend-exclude template

.PHONY: sync
sync: | $(UV) ## Write what follows from copier.yml: cookiecutter.json, the table of options
	$(RUN) scripts/sync_cookiecutter.py
	$(RUN) scripts/sync_readme.py

.PHONY: switches
switches: | $(UV) ## Write the table of switches in docs/updating.md anew
	$(RUN) pytest -n 0 --write-docs -k lived_in tests/test_update.py

.PHONY: docs
docs: | $(UV) ## Make a site of docs/ in build/docs, where every link leads somewhere
	$(RUN) sphinx-build --quiet --fail-on-warning --keep-going --nitpicky docs build/docs
	@echo "Open build/docs/index.html."

.PHONY: pictures
pictures: | $(UV) ## Take the README's pictures anew, of the last commit
	$(RUN) scripts/pictures.py

.PHONY: bench
bench: | $(UV) ## Measure what things cost, each beside a baseline in the same run
	$(RUN) benchmarks/generation.py
	$(RUN) benchmarks/update.py
	$(RUN) benchmarks/service.py
	$(RUN) benchmarks/layers.py
	$(RUN) benchmarks/login_storm.py
	$(RUN) benchmarks/cache.py
	$(RUN) benchmarks/jobs.py
	$(RUN) benchmarks/rooms.py
	$(RUN) benchmarks/telemetry.py
	$(RUN) benchmarks/container.py

.PHONY: release
release: | $(UV) ## Test, then commit and tag a version of the template: make release VERSION=0.2.0
	$(RUN) scripts/release.py $(VERSION)

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv
$(CURDIR)/.uv/bin/uv: .uv/bin/uv
