"""What a simulated guest shows on its screen: a few lines that say what it is, and whatever is typed, as text."""

from __future__ import annotations

from sandbox import font

COLUMNS, ROWS = 53, 24
#: dots of a character's place
CELL_WIDTH, CELL_HEIGHT = 12, 16
WIDTH, HEIGHT = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT

_PROMPT = "$ "
_ENTER, _BACKSPACE = (0xFF0D, 0xFF8D), 0xFF08
#: X11's keysyms of these are their codes in Latin-1
_FIRST, _LAST = 0x20, 0x7E
_SCALE = 2


class Terminal:
    """Lines of text, with a number for each that grows when it changes."""

    def __init__(self, name: str, guest: str) -> None:
        self.name = name
        self.lines = [
            "This screen is simulated, and so is its guest.",
            "",
            f"server   {name}",
            f"Ganeti   {guest[: COLUMNS - 9]}",
            f"         {guest[COLUMNS - 9 :]}",
            "",
            "What you type appears here, and nothing reads it.",
            "",
            _PROMPT,
        ]
        #: of each row of the screen; all that was shown before it is out of date
        self.changed = [1] * ROWS
        self.latest = 1

    def press(self, keysym: int) -> None:
        """Take in a key."""
        if keysym in _ENTER and len(self.lines) == ROWS:
            self.lines = [*self.lines[1:], _PROMPT]
            self._touch(*range(ROWS))
            return
        if keysym in _ENTER:
            self.lines.append(_PROMPT)
        elif keysym == _BACKSPACE and len(self.lines[-1]) > len(_PROMPT):
            self.lines[-1] = self.lines[-1][:-1]
        elif _FIRST <= keysym <= _LAST and len(self.lines[-1]) < COLUMNS - 1:
            self.lines[-1] += chr(keysym)
        else:
            return
        self._touch(len(self.lines) - 2, len(self.lines) - 1)

    def row(self, number: int) -> str:
        """Give a row as it is shown, with the cursor."""
        if number >= len(self.lines):
            return ""
        line = self.lines[number]
        return f"{line}_" if number == len(self.lines) - 1 else line

    def _touch(self, *rows: int) -> None:
        self.latest += 1
        for row in rows:
            self.changed[max(row, 0)] = self.latest


def dots(text: str, *, light: bytes, dark: bytes) -> bytes:
    """Draw a row of text, left to right and top to bottom, with these pixels."""
    pictures, box = font.pictures(), font.missing()
    shown = [pictures.get(character, box) for character in text[:COLUMNS]]
    spare = dark * (CELL_WIDTH - font.WIDTH * _SCALE)
    rest = dark * (CELL_WIDTH * (COLUMNS - len(shown)))
    drawn = [dark * WIDTH]
    for number in range(font.HEIGHT):
        line = b"".join(
            b"".join((light if picture[number] >> bit & 1 else dark) * _SCALE for bit in reversed(range(font.WIDTH)))
            + spare
            for picture in shown
        )
        drawn += [line + rest] * _SCALE
    drawn += [dark * WIDTH] * (CELL_HEIGHT - len(drawn))
    return b"".join(drawn)
