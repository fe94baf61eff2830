#!/usr/bin/env bash
# Install what tests run and no wheel has, on Debian or Ubuntu: scripts/install_tools.sh [PACKAGE ...]
# PACKAGE is a further one with a command of its name; `make proof` wants debootstrap, as root on Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

# PostgreSQL and Redis are what the machine runs, or come from wheels
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
command -v google-chrome >/dev/null || need chromium chromium
need redis-server redis-server
need haproxy haproxy
need openssl openssl
for package in "$@"; do
  need "$package" "$package"
done
if [ "${#missing[@]}" -gt 0 ]; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
scripts/docker_engine.sh
