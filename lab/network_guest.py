"""A guest that boots Linux, takes what DHCP and router advertisements give it, tries what it is told to, and says how
that went, again and again, on its serial console. An interface that comes later is treated alike.

Its user data are its orders, a line each: `reach ADDRESS`; `fetch ADDRESS PORT` by HTTP; `serve PORT`; `pose ADDRESS AS
ADDRESS` to send in another's name; `ask PATH` of the metadata service, whose answer it says without white space; or
`renew` its leases, each time. The power button turns it off.
"""

from pathlib import Path

from lab import initrd

BEGIN, END = "SYROS-VIEW-BEGIN", "SYROS-VIEW-END"

_MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "isofs", "nls_utf8", "button", "evdev")

_LEASE = r"""#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address add "$ip/$mask" dev "$interface"
set -- $staticroutes
while [ $# -ge 2 ]; do
    case "$2" in
    0.0.0.0) ip route add "$1" dev "$interface" ;;
    *) ip route add "$1" via "$2" ;;
    esac
    shift 2
done
[ -z "$router" ] || ip route add default via "$router" 2>/dev/null
echo "lease-$interface $ip/$mask $router $hostname $dns" > "/lease.$interface"
"""

_SCRIPT = r"""
# where acpid of busybox looks for what the power button does
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\npoweroff -f\n' > /etc/acpi/PWRF/00000080
chmod 755 /etc/acpi/PWRF/00000080
acpid -d -l /dev/null -p /acpid.pid >/dev/null 2>&1 &
until mount -t iso9660 -o ro "$(findfs LABEL=cidata)" /seed 2>/dev/null; do sleep 1; done
cat > /told <<'END'
{lease}END
chmod 755 /told
mkdir -p /www
mount -t sysfs none /sys
echo here > /www/index.html
ip link set lo up
take() {{
    for device in /sys/class/net/eth*; do
        name="${{device##*/}}"
        [ ! -e "/taken.$name" ] || continue
        : > "/taken.$name"
        ip link set "$name" up
        udhcpc -i "$name" -O staticroutes -s /told -b -t 5 -T 1 -A 2 >/dev/null 2>&1
    done
}}
fetched() {{ printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 2 "$1" "$2" | grep -q here; }}
verdict() {{ "$@" >/dev/null 2>&1 && echo yes || echo no; }}
look() {{
    cat /lease.* 2>/dev/null
    for device in /sys/class/net/eth*; do
        name="${{device##*/}}"
        ip -6 address show dev "$name" scope global | sed -n "s/^ *inet6 \([^ ]*\) .*/ipv6-$name \1/p"
    done
    while read -r what first as second; do
        case "$what" in
        reach)
            echo "reach $first $(verdict ping -c 1 -W 2 "$first")" ;;
        fetch)
            echo "fetch $first $as $(verdict fetched "$first" "$as")" ;;
        serve)
            httpd -p "$first" -h /www 2>/dev/null ;;
        pose)
            ip address add "$second/32" dev eth0
            echo "pose $second $(verdict ping -c 1 -W 2 -I "$second" "$first")"
            ip address del "$second/32" dev eth0 ;;
        renew)
            killall -USR1 udhcpc ;;
        ask)
            echo "ask $first $(timeout 10 wget -q -O - "http://169.254.169.254$first" | tr -d ' \n')" ;;
        esac
    done < /seed/user-data
}}
while true; do
    take
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
    initrd.write(path, script=script, modules=_MODULES, folders=("seed", "sys"))
