# Everything a person or a machine runs here. `make` alone lists it.
# The console alone has a port of its own, unless one was asked for.
CONSOLE_PORT := $(or $(PORT),8080)
PORT ?= 8000
export PORT

PYTHON := .venv/bin/python
STACK := $(PYTHON) -m ikiro.stack
MANAGE := $(PYTHON) manage.py

.DEFAULT_GOAL := help
.PHONY: help up console test prove check backup restore bench-gateway lock clean install install-dev install-test

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: install ## Start everything and print where it is; PORT=8000 IKIRO_STATE_DIR=.ikiro
	@exec $(STACK) up

console: install ## The web console alone: make console IKIRO_GATEWAY_URL=http://… PORT=8080
	@IKIRO_GATEWAY_URL="$(or $(IKIRO_GATEWAY_URL),http://127.0.0.1:8000)" PORT=$(CONSOLE_PORT) exec $(PYTHON) -m console

test: install-test check ## Run all checks and all tests, in two processes; ARGS=... goes to pytest instead
	@$(PYTHON) -m pytest $(or $(ARGS),-m "not alone" --numprocesses 2 --dist loadfile --durations 15)
	@$(if $(ARGS),,$(PYTHON) -m pytest -m alone tests/proof --durations 5)

prove: install-dev ## Stalls and outages at their full length: about six minutes, prints what it measured
	@exec $(PYTHON) -m pytest -m long tests/proof $(ARGS)

check: install-dev ## Format, lint, types, imports, migrations, OpenAPI drift
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m djlint templates --check --lint --quiet
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run  # needs no database
	$(MANAGE) export_openapi --check

backup: install ## Write an archive; ORG=slug for one organization, OUTPUT=file, IKIRO_BACKUP_PASSPHRASE
	@exec $(STACK) backup $(if $(ORG),--org "$(ORG)") $(if $(OUTPUT),--output "$(OUTPUT)")

restore: install ## Bring an archive back: make restore FILE=...; FORCE=1 replaces what is there
	@$(if $(FILE),,echo "Say which archive: make restore FILE=..." >&2; exit 1;) \
	exec $(STACK) restore "$(FILE)" $(if $(FORCE),--force)

bench-gateway: install-dev ## CPU and latency of the gateway against a bare server
	@exec $(PYTHON) -m tests.bench.gateway $(ARGS)

bench-%: install-dev
	@exec $(PYTHON) -m tests.bench.$* $(ARGS)

lock: ## Pin requirements/*.in anew, with hashes (needs uv)
	@for name in base embedded prod dev; do \
		uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
			--output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

clean: ## Remove caches and test results; data (.ikiro) and .venv stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

install:
	@requirements/bootstrap.sh up

install-dev:
	@requirements/bootstrap.sh check

install-test:
	@requirements/bootstrap.sh test
