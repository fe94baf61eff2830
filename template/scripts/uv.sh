#!/bin/sh
# Runs uv for this project, as in `scripts/uv.sh run pytest`. A machine without uv gets one in .uv/;
# one without the Python of .python-version uses the newest that it has and the project supports.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
unset VIRTUAL_ENV # it may be another project's
if ! [ -w "${HOME:-/nonexistent}" ]; then
    export UV_CACHE_DIR="${UV_CACHE_DIR:-$root/.uv-cache}"
fi

# Pythons are looked for in /, because pyenv's refuse to run below a .python-version it cannot serve.
find_python() (
    cd /
    for name in python3 python3.15 python3.14 python3.13 python3.12 python3.11 python; do
        "$name" -c 'import sys; sys.version_info < (3, 8) and sys.exit(1); print(sys.executable)' \
            2>/dev/null && return
    done
    echo "No Python was found: install Python 3.11 or newer." >&2
    return 1
)

install_uv() {
    python=$(find_python)
    echo "Installing uv into .uv/." >&2
    "$python" -m venv "$root/.uv" && "$root/.uv/bin/python" -m pip install --quiet uv && return
    rm -rf "$root/.uv"
    echo "uv could not be installed into .uv/; the reason is above." >&2
    return 1
}

# To download a Python takes more than the package index, so an installed one goes first.
choose_python() {
    wanted=$(cat "$root/.python-version" 2>/dev/null || true)
    current=
    if [ -x "$venv/bin/python" ]; then
        current=$(sed -n 's/^version\(_info\)\{0,1\} = //p' "$venv/pyvenv.cfg")
    fi
    case $current. in "$wanted".*) return ;; esac
    (cd / && "$uv" python find --no-python-downloads "$wanted") >/dev/null 2>&1 && return
    if [ -n "$current" ]; then
        UV_PYTHON=$venv/bin/python
    else
        supported=$(sed -n 's/^requires-python *= *"\(.*\)".*/\1/p' "$root/pyproject.toml")
        UV_PYTHON=$(cd / && "$uv" python list --only-installed "$supported" 2>/dev/null |
            sed -n 's/^cpython-[0-9.]*-[^ ]* *//p' | sed 's/ -> .*//; q')
        [ -n "$UV_PYTHON" ] || return 0 # uv downloads one, or explains why not
        UV_PYTHON=$(cd / && "$UV_PYTHON" -c 'import sys; print(sys.executable)')
        echo "Python $wanted is not installed. Using $UV_PYTHON." >&2
    fi
    export UV_PYTHON
}

uv=uv
if ! uv --version >/dev/null 2>&1; then
    uv=$root/.uv/bin/uv
    [ -x "$uv" ] || install_uv
fi
[ -n "${UV_PYTHON:-}" ] || choose_python

# A look at the index, to check uv.lock, is needed only when it or pyproject.toml has changed.
state() { (cd "$root" && cksum pyproject.toml uv.lock 2>/dev/null) || true; }
if [ "${1:-}" = run ] && [ "${2#-}" = "${2:-}" ]; then
    if [ "$(state)" != "$(cat "$venv/.locked" 2>/dev/null)" ]; then
        "$uv" sync --inexact
        state >"$venv/.locked"
    fi
    export UV_FROZEN=1
fi
exec "$uv" "$@"
