"""TOML with the line of every key, so that what is wrong later can still be pointed at."""

from __future__ import annotations

import json
import re
import sys
from bisect import bisect_left
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KeyPath", "Lines", "TomlError", "read_toml", "spelled"]

KeyPath = tuple[str | int, ...]
"""Keys and places in lists, from the outermost one."""

_MOST_DEEP = 16  # tables and lists within one another
_MOST_LONG = 400  # characters of what is no text
_MOST_TOLD = 100  # characters of a key

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\[\s\S])*?"""(?:"{0,2})' r"|'''[\s\S]*?'''(?:'{0,2})" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'"
)
_OTHER = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^,\]}\s#=]*|[^,\]}\s#=]+")  # a date may have a space before its time
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class TomlError(ValueError):
    """This is no TOML, at `line` (from 1)."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


class Lines:
    """The line of every key and of every element of a list.

    Examples
    --------
    >>> _, lines = read_toml("[[camera]]\\nname = 'door'\\nzone = [{name = 'yard'},\\n {name = 'b'}]\\n")
    >>> lines.of(("camera", 0, "zone", 1, "name")), lines.of(("camera", 0, "width"))
    (4, 1)
    """

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self._moved: dict[str, str] = {}  # what things are called now: what they are called in the text
        self.last = 1
        """Of what was noted last."""

    def note(self, path: KeyPath, line: int) -> None:
        """What stands there first counts."""
        self._lines.setdefault(_joined(path), line)
        self.last = line

    def move(self, before: KeyPath, path: KeyPath) -> None:
        """What stands at `before`, and in it, is now called `path`."""
        self._moved[_joined(path)] = _joined(before)

    def of(self, path: KeyPath) -> int:
        """The line of `path`; of something that is not there, of the table that it would be in."""
        for end in range(len(path), 0, -1):
            line = self._lines.get(self._written(path[:end]))
            if line is not None:
                return line
        return 1

    def _written(self, path: KeyPath) -> str:
        for end in range(len(path), 0, -1):
            before = self._moved.get(_joined(path[:end]))
            if before is not None:
                return before + _joined(path[end:])
        return _joined(path)


def read_toml(text: str) -> tuple[dict[str, Any], Lines]:
    """What a TOML text says, and where.

    Raises
    ------
    TomlError
        It is no TOML, or deeper than any configuration; with the line.
    """
    text = text.replace("\r\n", "\n") + "\n"
    scanner = _Scanner(text)
    scanner.scan()  # first: unlike tomllib it takes time in proportion to the text, whatever that is, and no stack
    try:
        return tomllib.loads(text), scanner.lines
    except ValueError as error:
        place = _PLACE.search(str(error))
        what = _in_words(_PLACE.sub("", str(error)))
        if place is None or place[1] is None:
            raise TomlError(scanner.lines.last, f"this is no TOML: {what} (what begins here is not complete)") from None
        raise TomlError(int(place[1]), f"this is no TOML: {what} (column {place[2]})") from None


def _in_words(message: str) -> str:
    """What tomllib has to say, as one who writes a configuration would."""
    twice = re.fullmatch(r"Cannot declare \((.*?),?\) twice", message)
    if twice:
        return f"[{twice[1].replace(', ', '.')}] is there twice".replace("'", "")
    if message == "Cannot overwrite a value":
        return "the key is there twice"
    if message.startswith("Unescaped"):
        return "a text in \"...\" with a single \\: double it, or write '...'"
    return message[:1].lower() + message[1:]


def spelled(path: KeyPath) -> str:
    """A path as it is told: ``camera[0].zone[1].points``, with quotes about keys that need them.

    Examples
    --------
    >>> spelled(("camera", 0, "settings", "guard.ghosts"))
    'camera[0].settings."guard.ghosts"'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            part = part if len(part) <= _MOST_TOLD else f"{part[:_MOST_TOLD]}..."
            word = part if _BARE_KEY.fullmatch(part) else json.dumps(part)
            text += f".{word}" if text else word
    return text


def _joined(path: KeyPath) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


class _End(Exception):  # noqa: N818
    """Here the scanner cannot go on, which is no error."""


class _Scanner:
    """Walks over a text that may be TOML. It takes more than TOML is, and where it cannot go on it stops."""

    def __init__(self, text: str) -> None:
        self.lines = Lines()
        self._text, self._at = text, 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._counts: dict[KeyPath, int] = {}  # of arrays of tables: how many there are by now

    def scan(self) -> None:
        table: KeyPath = ()
        try:
            while self._skip(_GAP):
                if self._text.startswith("[", self._at):
                    table = self._header()
                else:
                    self._pair(table)
        except _End:
            pass

    def _header(self) -> KeyPath:
        line, is_array = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._key()
        self._expect("]]" if is_array else "]")
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path += (key,)
            self.lines.note(path, line)
            if number == len(keys) and is_array:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path += (self._counts[path] - 1,)
                self.lines.note(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line, path = self._line(), table
        for key in self._key():
            path += (key,)
            self.lines.note(path, line)
        self._expect("=")
        self._value(path)

    def _key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(_BLANK)
            if self._text[self._at : self._at + 1] in ('"', "'"):
                quoted = self._take(_STRING)
                try:
                    keys.extend(tomllib.loads(f"{quoted}=0"))
                except ValueError:
                    raise _End from None
            else:
                keys.append(self._take(_BARE_KEY))
            if len(keys) > _MOST_DEEP:
                raise TomlError(self._line(), f"a key of more than {_MOST_DEEP} parts")
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: KeyPath, depth: int = 1) -> None:
        self._skip(_BLANK)
        first = self._text[self._at : self._at + 1]
        if depth > _MOST_DEEP:
            raise TomlError(self._line(), f"lists and tables are more than {_MOST_DEEP} deep")
        if first == "[":
            self._list(path, depth)
        elif first == "{":
            self._inline_table(path, depth)
        elif first in ('"', "'"):
            self._take(_STRING)
        elif len(self._take(_OTHER)) > _MOST_LONG:
            raise TomlError(self._line(), "this is too long for a number, and a text has quotes")

    def _list(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        number = 0
        while self._next() != "]":
            self.lines.note((*path, number), self._line())
            self._value((*path, number), depth + 1)
            number += 1
            if self._next() == ",":
                self._at += 1
            elif self._next() != "]":
                raise _End
        self._at += 1

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        while self._next() != "}":
            line, inner = self._line(), path
            for key in self._key():
                inner += (key,)
                self.lines.note(inner, line)
            self._expect("=")
            self._value(inner, depth + 1)
            if self._next() == ",":
                self._at += 1
            elif self._next() != "}":
                raise _End
        self._at += 1

    def _next(self) -> str:
        if not self._skip(_GAP):
            raise _End
        return self._text[self._at]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Go on behind what may be there; whether anything is left."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _End
        self._at = found.end()
        return found[0]

    def _expect(self, word: str) -> None:
        self._skip(_BLANK)
        if not self._text.startswith(word, self._at):
            raise _End
        self._at += len(word)

    def _line(self) -> int:
        return bisect_left(self._breaks, self._at) + 1
