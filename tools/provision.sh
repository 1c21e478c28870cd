#!/bin/sh
# What `vagrant up` runs as root in a machine that is there for the lab alone: tools/bootstrap.sh, and what goes with it.
#
#   tools/provision.sh SCOPE USER     SCOPE is one of tools/bootstrap.sh; USER is who works in the machine
#
# Can be run again. Not for a machine that is used for anything else: it takes AppArmor off strongSwan, whose profile
# forbids the private places that host mode gives to each peer, and stops the daemon that Debian's package starts.
set -eu

cd "$(dirname "$0")/.."
[ $# -eq 2 ] || { echo "usage: tools/provision.sh demo|test|host USER" >&2; exit 2; }
scope=$1 user=$2

free_charon() {
  for profile in /etc/apparmor.d/*charon*; do
    [ -f "$profile" ] || continue
    mkdir -p /etc/apparmor.d/disable
    ln -sf "$profile" /etc/apparmor.d/disable/
    # Fails where AppArmor is not at work, and then there is nothing to take off.
    apparmor_parser -R "$profile" 2>/dev/null || true
  done
  # Without systemd, as in a chroot, nothing was started.
  if [ -d /run/systemd/system ]; then systemctl --quiet disable --now strongswan.service; fi
}

tools/bootstrap.sh "$scope"
if [ "$scope" = host ]; then free_charon; fi
chown -R "$user:" .venv
