# GatheRing: `make up` runs it, `make test` proves it. What each target does is said by `make help`.
# Needs cargo (Rust 1.95), a C compiler, curl, git, and python3 >= 3.11 with venv; what else is wanted is fetched into ./.venv and ./target.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
TARGET := $(or $(CARGO_TARGET_DIR),target)
GATHERING := $(TARGET)/debug/gathering
CORE := python/gathering/_core.abi3.so
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export CARGO_TERM_COLOR ?= auto
export RUSTDOCFLAGS := -D warnings

.PHONY: help setup mock up demo test test-long bench fuzz fmt lint docs examples core wheel test-python test-rust attacks build clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## fetches what the machine lacks: uv, from PyPI, into ./.venv

$(VENV)/.ready:
	@for program in cargo cc curl git; do command -v $$program >/dev/null \
	  || { echo "$$program is missing: see CONTRIBUTING.md for what a machine needs"; exit 1; }; done
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) must be 3.11 or newer: name another with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) \
	  || { echo "$(PYTHON) lacks venv: on Debian, apt-get install python3-venv"; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check uv
	@touch $@

# What only tests want: the oracle for versions, arrays to convert, models as arguments, what the
# plugin of the document needs, and the judge of the stubs.
$(VENV)/.tests: $(VENV)/.ready Makefile
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python packaging numpy pydantic mypy "requests>=2.28" \
	  coloraide pillow pandas pyyaml nbformat tomlkit \
	  reportlab pypdf openpyxl xlwt odfpy python-docx python-pptx trimesh ezdxf \
	  numpy-financial scipy pytest
	@touch $@

# A provider of language models that answers as it is told, which others wrote. Tests say NOT RUN without it.
mock: ## fetches the mock provider that tests of chats talk with, from npm, into ./target
	@command -v npm >/dev/null || { echo "NOT RUN: npm is missing, so no tests of chats"; exit 0; }; \
	  test -d $(TARGET)/npm/node_modules/@copilotkit/aimock \
	  || npm install --silent --no-audit --no-fund --prefix $(TARGET)/npm @copilotkit/aimock@1.43.0

build:
	cargo build --quiet --package gathering-cli

up: setup build ## runs the server with the example plugins loaded, on http://localhost:8000
	$(GATHERING) up --config examples/gathering.toml

demo: setup build ## does the main job once through, printing each step, and exits
	examples/demo.sh $(abspath $(GATHERING))

test: setup lint test-rust test-python attacks examples demo docs ## proves everything
	@echo "make test: all is well"

# What could not run here says so in its output, which cargo shows only when asked.
test-rust: $(VENV)/.tests mock
	@mkdir -p $(TARGET)
	cargo test --quiet --workspace -- --show-output > $(TARGET)/test.log 2>&1 || { cat $(TARGET)/test.log; exit 1; }
	@grep -h '^test result:' $(TARGET)/test.log
	@grep -h 'NOT RUN' $(TARGET)/test.log | sort -u || true

# The package in its own process: the core is built where the package lies, as an installed wheel has it.
core:
	cargo build --quiet --package gathering-py
	ln -sf $(abspath $(TARGET)/debug/lib_core.so) $(CORE)

test-python: $(VENV)/.tests build core mock
	PATH=$(abspath $(TARGET)/debug):$$PATH PYTHONPATH=python \
	  $(VENV)/bin/python -W error -m unittest discover --start-directory python/tests
	MYPYPATH=python $(VENV)/bin/mypy --strict --follow-imports=silent --cache-dir=$(TARGET)/mypy python/tests/typed.py
	MYPYPATH=python PYTHONPATH=python $(VENV)/bin/stubtest --concise --ignore-disjoint-bases \
	  --mypy-config-file python/tests/mypy.ini --allowlist python/tests/stubtest.txt \
	  gathering._core gathering.agents gathering.core gathering.plugins gathering._process.client

wheel: $(VENV)/.ready ## builds the wheel, package and program in one, and tries it in an environment of its own
	cargo build --release --quiet --package gathering-cli
	mkdir -p python/gathering.data/scripts
	cp $(TARGET)/release/gathering python/gathering.data/scripts/gathering
	rm -rf $(TARGET)/wheels
	$(VENV)/bin/uvx --quiet maturin@1.16.0 build --quiet --release --manifest-path python/Cargo.toml --out $(TARGET)/wheels
	python/tests/wheel.sh $(PYTHON) $(TARGET)/wheels/*.whl

attacks: setup build ## attacks a real server, in each tier, as root and not
	$(PYTHON) tests/attack_suite.py $(abspath $(GATHERING))

examples: setup build
	examples/test.sh $(abspath $(GATHERING))

docs: setup build core mock
	cargo doc --quiet --workspace --no-deps --lib
	cargo xtask docs

lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo xtask tidy
	cargo clippy --quiet --workspace --all-targets -- -D warnings

fmt: ## formats the sources
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

test-long: test ## what is slower: kill loops, soaks, more random cases, fuzzing for ten minutes a target
	$(PYTHON) tests/kill_loop.py $(abspath $(GATHERING)) 200
	$(PYTHON) tests/soak.py $(abspath $(GATHERING)) 600
	$(PYTHON) tests/attack_suite.py $(abspath $(GATHERING)) --long
	PROPTEST_CASES=5000 cargo test --quiet --workspace
	SECONDS_EACH=600 fuzz/run

bench: setup ## measures; prints a table of what must be reached and what is
	bench/run

fuzz: ## fuzzes each target for a minute: worker frames, manifests, schemas
	fuzz/run

clean: ## removes what was built and fetched
	cargo clean
	rm -rf $(VENV) fuzz/target
