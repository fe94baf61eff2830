# Needs Python 3.11+, make and git; brings uv when the machine has none.

# What is installed and cached, which is not in the clone because cookiecutter copies that whole.
CACHE := $(shell \
	folder="$${XDG_CACHE_HOME:-$$HOME/.cache}/groundwork/clone-$$(pwd | cksum | cut -d ' ' -f 1)"; \
	mkdir -p "$$folder" 2>/dev/null && [ -w "$$folder" ] && echo "$$folder" || echo "$$(pwd)/.cache")
UV := $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),$(CACHE)/uv/bin/uv)
# what a tool starts, such as uv in a project, has environments of its own
RUN := PATH="$$PATH:$$(dirname "$(UV)")" UV_PROJECT_ENVIRONMENT="$(CACHE)/venv" \
	"$(UV)" run --quiet env -u UV_PROJECT_ENVIRONMENT
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
demo: | uv ## Write a project with the default answers into build/demo, and run it
	@PORT="$(PORT)" UV="$(UV)" UV_PROJECT_ENVIRONMENT="$(CACHE)/demo" sh scripts/demo.sh "$(DEMO)"

.PHONY: test
test: | uv ## Prove the template: every promise, from bad answers to running services
	$(PYTEST) $(or $(ARGS),-m "not proof")

.PHONY: quick
quick: | uv ## Run the tests that take no more than two minutes together
	$(PYTEST) -m "not slow and not proof"

.PHONY: proof
proof: | uv ## Run all tests, the longest too, and write into docs/proof.md what they prove
	$(PYTEST) --write-proof $(ARGS)

lint format: export MYPY_CACHE_DIR := $(CACHE)/mypy
lint format: export RUFF_CACHE_DIR := $(CACHE)/ruff

.PHONY: lint
lint: living | uv ## Check style and types of the repository and of template/ in place
	$(RUN) ruff check --extend-exclude template
	$(RUN) ruff format --check --extend-exclude template
	$(RUN) mypy
	$(RUN) python scripts/sync_cookiecutter.py --check
	$(RUN) python scripts/sync_readme.py --check
	# conditions stand between imports here; their order is checked in each project
	$(RUN) ruff check --extend-ignore I001 template
	cd template && "$(CACHE)/living/bin/mypy"

.PHONY: living
living: | uv # the environment of a project with every feature on, for work on template/ in place
	rm -rf $(LIVING).new
	$(RUN) copier copy --defaults --quiet --vcs-ref HEAD --data-file presets/full.yml . $(LIVING).new
	mkdir -p $(LIVING)
	cp $(LIVING).new/pyproject.toml $(LIVING).new/README.md $(LIVING)/
	rm -rf $(LIVING).new
	UV_PROJECT_ENVIRONMENT="$(CACHE)/living" "$(UV)" sync --quiet --project $(LIVING)

.PHONY: format
format: | uv ## Format the code
	$(RUN) ruff check --fix --extend-exclude template
	$(RUN) ruff format --extend-exclude template

.PHONY: sync
sync: | uv ## Write what follows from copier.yml: cookiecutter.json, the table of options
	$(RUN) python scripts/sync_cookiecutter.py
	$(RUN) python scripts/sync_readme.py

.PHONY: options
options: | uv ## Write the table in docs/updating.md of what each option changes
	$(RUN) pytest -n 0 --write-docs -k has_been_edited tests/test_update.py

.PHONY: docs
docs: | uv ## Make a site of docs/ in build/docs, where every link leads somewhere
	$(RUN) sphinx-build --quiet --fail-on-warning --keep-going --nitpicky docs build/docs
	@echo "Open build/docs/index.html."

.PHONY: pictures
pictures: | uv ## Take the README's pictures anew, of the last commit
	$(RUN) python scripts/pictures.py

.PHONY: bench
bench: | uv ## Measure what things cost, each beside a baseline in the same run
	$(RUN) python benchmarks/generation.py
	$(RUN) python benchmarks/update.py
	$(RUN) python benchmarks/service.py
	$(RUN) python benchmarks/layers.py
	$(RUN) python benchmarks/login_storm.py
	$(RUN) python benchmarks/cache.py
	$(RUN) python benchmarks/jobs.py
	$(RUN) python benchmarks/rooms.py
	$(RUN) python benchmarks/telemetry.py
	$(RUN) python benchmarks/container.py

.PHONY: release
release: | uv ## Test, then commit a version of the template for publication: make release VERSION=0.2.0
	$(RUN) python scripts/release.py $(VERSION)

.PHONY: bounds
bounds: | uv ## Raise the upper bounds of dependencies that newer releases are at or beyond
	PATH="$$PATH:$$(dirname "$(UV)")" python3 scripts/bounds.py raise

.PHONY: clean
clean: ## Remove what make has installed and cached, but not build/demo
	rm -rf "$(CACHE)" $(LIVING) build/docs
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache template/.mypy_cache template/.ruff_cache

.PHONY: uv
uv:
	@[ -x "$(UV)" ] || { echo "Installing uv into $(CACHE)/uv ..."; \
	python3 -m venv "$(CACHE)/uv" && "$(CACHE)/uv/bin/python" -m pip install uv; } || \
	{ echo "uv cannot be installed: see above, or install it yourself and repeat." >&2; exit 1; }
