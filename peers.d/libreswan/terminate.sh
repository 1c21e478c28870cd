# Delete the IKE SA with its children: terminate.sh CONFIG IKE CHILD
[ -z "$3" ] || { echo "whack takes a connection down with its IKE SA only, and revives a child that is deleted" >&2; exit 127; }
connection=$(awk -v ike="$2" '$2 == ike { print $1; exit }' "$1/names")
[ -n "$connection" ] || { echo "there is no connection called $2" >&2; exit 1; }
/usr/libexec/ipsec/whack --rundir /run/pluto --terminate --name "$connection"
