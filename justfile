# Every task in one or two lines; each also works typed by hand after `just setup`.

export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

# list the recipes
default:
    @just --list

# install the locked dependencies into .venv
setup:
    @uv sync --frozen --inexact --quiet

# install what serving needs, without the tools of development
install:
    @uv sync --frozen --inexact --quiet --no-dev

# three clinics, three strategies, served on http://localhost:8000
demo *args: install
    clinic demo {{args}}

# serve what the data directory or CLINIC_DATABASE_URL holds
serve *args: install
    clinic serve {{args}}

# Tests start many processes of ours: compiled once, not in each, also where the environment forbids the cache.
# In the order of the folders, so that the many short files come last and the two processes end together.
# run the tests (real PostgreSQL, all three strategies), in two processes with a PostgreSQL each
test *args: setup
    PYTHONDONTWRITEBYTECODE= python -m pytest -n 2 --dist loadfile --no-loadscope-reorder {{args}}

# format the code
fmt: setup
    ruff format . && ruff check --fix .

# every fault at every phase of a move (hours); `just fault-matrix --help` tells how to run a part
fault-matrix *args: setup
    PYTHONPATH=tests/support python tests/fault/matrix.py {{args}}

# N moves of one clinic under load through real server processes
soak-moves *args: setup
    PYTHONPATH=tests/support:tests/soak python tests/soak/soak_moves.py {{args}}

# formatter and linter, changing nothing
lint: setup
    ruff format --check . && ruff check .

# one strict type checker over all of src
types: setup
    mypy

# import contracts and syntax-tree rules
contracts: setup
    lint-imports --no-cache && python -m pytest -q tests/lint

# what CI runs after the tests
gates: lint types contracts openapi-check

# everything CI runs
check: test gates

# write the OpenAPI document
openapi: setup
    clinic openapi > docs/openapi.json

# the checked-in OpenAPI document is the one the code makes
openapi-check: setup
    clinic openapi | diff -q docs/openapi.json - || (echo "docs/openapi.json is stale: run just openapi"; exit 1)

# bring registry and homes to the newest revision
migrate *args: install
    clinic migrate {{args}}

# compare our cost with and without tenancy, and with others (see bench/README.md)
bench *args: setup
    python -m bench {{args}}

# django-tenants and what it needs, into bench/.venv, for `just bench rival`
bench-setup: setup
    uv venv --quiet --allow-existing bench/.venv
    uv pip install --quiet --python bench/.venv/bin/python -r bench/requirements-django.txt

# build the wheel
build: setup
    uv build --wheel

# forget builds and caches; data directories stay
clean:
    rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
