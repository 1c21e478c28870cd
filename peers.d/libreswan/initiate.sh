# Bring a connection up and wait for the outcome: initiate.sh CONFIG CHILD SECONDS
connection=$(awk -v child="$2" '$3 == child { print $1; exit }' "$1/names")
[ -n "$connection" ] || { echo "there is no child called $2" >&2; exit 1; }
told=$(timeout "$3" /usr/libexec/ipsec/whack --rundir /run/pluto --initiate --name "$connection" 2>&1)
case $told in
  *'established Child SA'*) exit 0 ;;
esac
echo "$told" | grep -v -i warning | tail -n 1 >&2
exit 1
