# Begin to rekey the IKE SA or a CHILD SA: rekey.sh CONFIG IKE CHILD, one of the names empty
if [ -n "$3" ]; then
  what=--rekey-child connection=$(awk -v child="$3" '$3 == child { print $1; exit }' "$1/names")
else
  what=--rekey-ike connection=$(awk -v ike="$2" '$2 == ike { print $1; exit }' "$1/names")
fi
[ -n "$connection" ] || { echo "there is nothing called $2$3" >&2; exit 1; }
told=$(/usr/libexec/ipsec/whack --rundir /run/pluto $what --name "$connection" --asynchronous 2>&1)
case $told in
  *'does not have an established'*) echo "$told" >&2; exit 1 ;;
esac
