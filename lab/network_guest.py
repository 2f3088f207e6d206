"""A guest that boots Linux, takes what DHCP and router advertisements give it, tries what it is told to, and says how
that went, again and again, on its serial console.

Its user data are its orders, a line each: `reach ADDRESS`, `pose ADDRESS AS ADDRESS` to send in another's name, or
`ask PATH` of the metadata service, whose answer it says without white space.
"""

from pathlib import Path

from lab import initrd

BEGIN, END = "SYROS-VIEW-BEGIN", "SYROS-VIEW-END"

_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "isofs", "nls_utf8")

_LEASE = r"""#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address add "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route add default via "$router"
set -- $staticroutes
while [ $# -ge 2 ]; do
    [ "$2" != 0.0.0.0 ] || ip route add "$1" dev "$interface"
    shift 2
done
echo "lease $ip/$mask $router $hostname $dns" > /lease
"""

_SCRIPT = r"""
until mount -t iso9660 -o ro "$(findfs LABEL=cidata)" /seed 2>/dev/null; do sleep 1; done
cat > /told <<'END'
{lease}END
chmod 755 /told
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -O staticroutes -s /told -b -t 5 -T 1 -A 2 >/dev/null 2>&1
look() {{
    cat /lease 2>/dev/null
    ip -6 address show dev eth0 scope global | sed -n 's/^ *inet6 \([^ ]*\) .*/ipv6 \1/p'
    while read -r what first as second; do
        case "$what" in
        reach)
            ping -c 1 -W 2 "$first" >/dev/null 2>&1 && echo "reach $first yes" || echo "reach $first no" ;;
        pose)
            ip address add "$second/32" dev eth0
            ping -c 1 -W 2 -I "$second" "$first" >/dev/null 2>&1 && echo "pose $second yes" || echo "pose $second no"
            ip address del "$second/32" dev eth0 ;;
        ask)
            echo "ask $first $(timeout 10 wget -q -O - "http://169.254.169.254$first" | tr -d ' \n')" ;;
        esac
    done < /seed/user-data
}}
while true; do
    look > /seen
    echo {begin}
    cat /seen
    echo {end}
    sleep 1
done
"""


def write_initrd(path: Path) -> None:
    """Write the initrd that goes with `initrd.kernel`."""
    script = _SCRIPT.format(begin=BEGIN, end=END, lease=_LEASE)
    initrd.write(path, script=script, modules=_MODULES, folders=("seed",))
