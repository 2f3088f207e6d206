"""A guest that boots Linux to a shell on its screen, in VGA's text mode, and has a serial console to speak to.

Its keyboard is the kernel's own, which is American; its commands `german` and `american` change that.
"""

from pathlib import Path

from lab import initrd

READY = "SYROS-SCREEN-READY"

_LATIN, _LETTER = 0x0000, 0x0B00
#: of a keymap as dumpkmap writes it: a mark, 256 flags, and then each map's 128 keys of two bytes
_HEAD, _MAP = 7 + 256, 256
_PLAIN, _SHIFT, _ALTGR = range(3)

#: where the German layout differs, among what the tests type: the map, the key's code in Linux, the character
_GERMAN = (
    (_PLAIN, 21, "z"),
    (_SHIFT, 21, "Z"),
    (_PLAIN, 44, "y"),
    (_SHIFT, 44, "Y"),
    (_SHIFT, 3, '"'),
    (_SHIFT, 8, "/"),
    (_SHIFT, 11, "="),
    (_SHIFT, 12, "?"),
    (_PLAIN, 43, "#"),
    (_SHIFT, 43, "'"),
    (_PLAIN, 53, "-"),
    (_SHIFT, 53, "_"),
    (_ALTGR, 16, "@"),
    (_ALTGR, 8, "{"),
    (_ALTGR, 9, "["),
    (_ALTGR, 10, "]"),
    (_ALTGR, 11, "}"),
    (_ALTGR, 12, "\\"),
    (_ALTGR, 27, "~"),
    (_ALTGR, 86, "|"),
)

_SCRIPT = r"""
dumpkmap < /dev/tty1 > /american.kmap
cp /american.kmap /german.kmap
while read -r offset bytes; do
    printf "$bytes" | dd of=/german.kmap bs=1 seek="$offset" conv=notrunc 2>/dev/null
done <<'END'
{patches}
END
for layout in american german; do
    printf '#!/bin/sh\nloadkmap < /%s.kmap\n' "$layout" > "/bin/$layout"
    chmod 755 "/bin/$layout"
done
export PS1='# '
# a cursor that blinks is another picture each time
printf '\033[?25l' > /dev/tty1
echo {ready}
while true; do
    setsid sh -c 'exec sh -i < /dev/tty1 > /dev/tty1 2>&1'
done
"""


def write_initrd(path: Path) -> None:
    """Write the initrd that goes with `initrd.kernel`."""
    patches = "\n".join(_patch(*change) for change in _GERMAN)
    initrd.write(path, script=_SCRIPT.format(patches=patches, ready=READY), modules=())


def _patch(table: int, code: int, character: str) -> str:
    """Where a key is in a dumped keymap, and its value there, for printf."""
    value = (_LETTER if character.isalpha() else _LATIN) | ord(character)
    return f"{_HEAD + table * _MAP + code * 2} " + "".join(f"\\x{byte:02x}" for byte in value.to_bytes(2, "little"))
