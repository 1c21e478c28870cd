#!/bin/sh
# Prepare this machine and this clone: Debian packages, and .venv with the command `ikelab` in it.
#
#   tools/bootstrap.sh          all that `make test` needs
#   tools/bootstrap.sh demo     only what running scenarios needs
#   tools/bootstrap.sh host     all that `make test` needs, and strongSwan for `ikelab run --kernel host`
#
# Can be interrupted and run again; does nothing when nothing is missing. Packages are installed only by root and only
# if one is missing; an ordinary user is told which, and the exit code is 3. Nothing else of the host is touched.
set -eu

cd "$(dirname "$0")/.."
scope=${1:-test}
all='[dev,browser,cluster,docs,fast]'
case $scope in
  demo) extras='' ;;
  test | host) extras=$all ;;
  *) echo "usage: tools/bootstrap.sh [demo|test|host]" >&2; exit 2 ;;
esac

say() { echo "bootstrap: $*" >&2; }
unfit() { say "$1"; say "next step: $2"; exit 3; }

# The package names of the sections up to and including the wanted one; those with a `?` need not be had everywhere.
wanted_packages() {
  awk -v scope="$scope" '
    { sub(/#.*/, ""); gsub(/[ \t]+/, "") }
    /^\[/ { reading = !passed; passed = passed || $0 == "[" scope "]"; next }
    reading && $0 != ""' tools/apt-packages.txt
}

missing_packages() {
  for wanted in $(wanted_packages); do
    package=${wanted%\?}
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || { [ "$package" != "$wanted" ] && ! can_be_had "$package"; } || echo "$package"
  done
}

can_be_had() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

install_packages() {
  command -v dpkg-query >/dev/null || unfit "this is no Debian system" \
    "use Debian 12 or later, or a derivative of it (x86_64)"
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    unfit "missing Debian packages: $missing" "as root: apt-get install --no-install-recommends $missing"
  fi
  say "installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -o DPkg::Lock::Timeout=300 update >&2 || unfit "apt-get update failed" "check the network and apt's sources"
  missing=$(missing_packages | tr '\n' ' ') # once more: only now does apt know what can be had
  # shellcheck disable=SC2086  # one word per package
  apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing >&2 ||
    unfit "apt-get could not install: $missing" "dpkg --configure -a; apt-get --fix-broken install; then again"
}

find_python() {
  for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  unfit "no Python 3.11 or later with the venv module" "as root: apt-get install python3 python3-venv"
}

# What the virtual environment was made from; another answer means that pip has to run again.
recipe() { { cat pyproject.toml; .venv/bin/python --version; echo "$1"; } | sha256sum | cut -c1-16; }

prepare_venv() {
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    say "creating .venv"
    python=$(find_python) || exit 3
    "$python" -m venv --clear .venv || unfit "cannot create .venv" "look at the message above; is the disk full?"
  fi
  made=$(cat .venv/bootstrap-recipe 2>/dev/null || true)
  # An environment made for tests serves the demo too.
  [ "$made" = "$(recipe "$all")" ] || [ "$made" = "$(recipe "$extras")" ] || fill_venv
}

fill_venv() {
  say "installing ikelab into .venv"
  rm -f .venv/bootstrap-recipe
  .venv/bin/python -m pip install --disable-pip-version-check -q -e ".$extras" >&2 ||
    unfit "pip could not install the Python packages" "check the network and pip's configuration (pip config list)"
  recipe "$extras" >.venv/bootstrap-recipe
}

install_packages
prepare_venv
