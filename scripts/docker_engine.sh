#!/usr/bin/env bash
# Fetch a Docker engine, and what images of Debian's packages are made of, for tests on a machine
# that has no Docker and reaches no image registry. It needs Debian and root; tests/docker_engine.py
# starts and stops the engine. Where Docker works already, nothing is done.
set -euo pipefail

if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
  exit 0
fi
folder="${XDG_CACHE_HOME:-$HOME/.cache}/groundwork/docker"
# what the stand-ins are made of: the release whose Python is the template's default
release=forky
if [ "$(cat "$folder/fetched" 2>/dev/null)" = "$release" ]; then
  exit 0
fi
mirror="$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | grep -v security | head -n 1)"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ "$(id -u)" != 0 ] || [ ! -e "$keyring" ]; then
  echo "Tests of containers need Docker; this script fetches one on Debian only, as root." >&2
  exit 1
fi

mkdir -p "$folder"
exec 9>"$folder/fetching"
flock --timeout 300 9
new="$folder/new"
rm -rf "$new" "$folder/root" "$folder/stand-ins" "$folder/fetched"
mkdir -p "$new/root" "$new/stand-ins" "$new/packages" "$new/lists/partial"

if ! command -v runc >/dev/null || ! command -v iptables >/dev/null || ! command -v mmdebstrap >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends iptables mmdebstrap runc >/dev/null
fi

# a Debian to build images on; a mirror's list of a release in testing may be older than a week
timeout 300 mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
  --include=ca-certificates,python3,python3-pip,python3-venv \
  "$release" "$new/stand-ins/rootfs.tar" "$mirror" &
bootstrap=$!

# the engine of a newer Debian, unpacked but not installed: it runs on this one
cat >"$new/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: trixie
Components: main
Signed-By: $keyring
SOURCES
options=(
  -qq
  -o "Acquire::Retries=3"
  -o "APT::Sandbox::User=root"
  -o "Dir::Cache=$new"
  -o "Dir::Etc::sourcelist=$new/debian.sources"
  -o "Dir::Etc::sourceparts=/dev/null"
  -o "Dir::State::lists=$new/lists"
  -o "Dir::State::status=/dev/null"
)
timeout 120 apt-get "${options[@]}" update
cd "$new/packages"
timeout 300 apt-get "${options[@]}" download \
  containerd docker-buildx docker-cli docker-compose docker.io
for package in *.deb; do
  dpkg -x "$package" "$new/root"
done

wait "$bootstrap"
mv "$new/root" "$new/stand-ins" "$folder/"
rm -rf "$new"
echo "$release" >"$folder/fetched"
