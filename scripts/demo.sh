#!/bin/sh
# Write a project with the default answers into the given folder, unless there is one, and run it.
# `make demo` calls this with UV, PORT, and UV_PROJECT_ENVIRONMENT.
set -eu
demo="$1"

fail() {
  echo "$1" >&2
  exit 1
}

python3 -c "import sys; sys.exit(sys.version_info < (3, 11))" ||
  fail "The demo needs Python 3.11 or newer as python3."
python3 -c "import socket; socket.create_server(('127.0.0.1', int('$PORT')))" 2>/dev/null ||
  fail "Port $PORT is in use, or is none. Choose another: make demo PORT=8001"
mkdir -p "$(dirname "$demo")" 2>/dev/null && [ -w "$(dirname "$demo")" ] ||
  fail "$(dirname "$demo") cannot be written to. Choose another folder: make demo DEMO=/tmp/demo"

if [ -e "$demo/.copier-answers.yml" ]; then
  echo "1/3 Taking the project that is in $demo. For a new one, remove it first: rm -r $demo"
elif [ -e "$demo" ]; then
  fail "$demo is no project of this template. Choose another folder: make demo DEMO=/tmp/demo"
else
  echo "1/3 Writing a project into $demo, with copier ..."
  new="$demo.new"
  rm -rf "$new"
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM
  "$UV" tool run --from "copier>=9.19,<10" copier copy --defaults --quiet --vcs-ref HEAD . "$new"
  mv "$new" "$demo"
  ${MAKE:-make} --no-print-directory --silent -C "$demo" .env
fi

export UV_PYTHON="${UV_PYTHON:-$(python3 -c 'import sys; print(sys.executable)')}"
echo "2/3 Installing what it runs on, and creating its database ..."
"$UV" run --directory "$demo" --no-dev alembic upgrade heads
echo "3/3 Starting on http://127.0.0.1:$PORT/docs - stop it with Ctrl-C."
export PORT
cd "$demo"
exec "$UV_PROJECT_ENVIRONMENT/bin/python" -m app
