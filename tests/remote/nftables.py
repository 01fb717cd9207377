"""nftables and systemd's timers for machines in directories: a kernel with one table, and timers that do run."""

from fedikit.remote.directory import DirectoryMachine

NFT = """\
#!/bin/sh
run="${0%/*}/../../run"
chain='{"chain": {"family": "inet", "table": "fedikit", "name": "input", "hook": "input", "policy": "drop"}}'
case "$1" in
-f)
    file="$2"; [ "$file" = - ] && file=/dev/stdin
    /bin/sed -e '/^#/d' -e 's/  #.*//' "$file" >"$run/draft"
    /bin/grep -q nonsense "$run/draft" && { echo "syntax error"; exit 1; }
    [ "$(/usr/bin/head -n 2 "$run/draft")" = "$(printf 'table inet fedikit\\ndelete table inet fedikit')" ] || exit 1
    /usr/bin/tail -n +3 "$run/draft" >"$run/nft"
    [ -s "$run/nft" ] || /bin/rm "$run/nft" ;;
list) /bin/cat "$run/nft" ;;
delete) /bin/rm "$run/nft" ;;
-j) [ -e "$run/nft" ] || chain='{"metainfo": {}}'
    [ -e "$run/chain.json" ] && chain="$chain, $(/bin/cat "$run/chain.json")"
    echo "{\\"nftables\\": [$chain]}" ;;
esac
"""
TIMER = """\
#!/bin/sh
for word; do
    case "$word" in --on-active=*) seconds="${word#*=}" ;; esac
    [ "$word" = /bin/sh ] && break
    shift
done
export PATH="${0%/*}:/usr/bin:/bin"
(sleep "${seconds%s}"; exec "$@") </dev/null >/dev/null 2>&1 &
"""


def furnish(machine: DirectoryMachine) -> None:
    """Gives the machine both programs."""
    machine.program("nft", NFT)
    machine.program("systemd-run", TIMER)
