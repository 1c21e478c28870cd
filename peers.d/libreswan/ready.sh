# Ready when pluto has its interfaces and every connection: ready.sh CONFIG
set -e
[ -S /run/pluto/pluto.ctl ] || { echo "pluto has no control socket yet" >&2; exit 1; }
/usr/libexec/ipsec/whack --rundir /run/pluto --listen
while read -r connection _; do
  told=$(/usr/libexec/ipsec/addconn --config "$1/ipsec.conf" --ctlsocket /run/pluto/pluto.ctl "$connection" 2>&1)
  case $told in
    *'added IKEv2 connection'*) ;;
    *) echo "$told" >&2; exit 1 ;;
  esac
done <"$1/names"
