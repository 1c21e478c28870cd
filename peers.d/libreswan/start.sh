# pluto in the foreground: start.sh CONFIG KEYS. What the kernel is given as SAs, keys included, is written down beside.
set -e
mkdir -p /run/nss /run/pluto /var/lib/ipsec/nss
: >/etc/resolv.conf
ipsec initnss --nssdir /run/nss
ip xfrm monitor SA >"$2/kernel" &
exec /usr/libexec/ipsec/pluto --nofork --config "$1/ipsec.conf" --rundir /run/pluto --use-xfrm
