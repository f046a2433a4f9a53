"""The book of what holds: conditions that wait to be told, events that are open, and how they end."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from typing import Any

from motionseg.core.types import Event
from motionseg.events._rule import LastingRule, Rule, VerdictRule
from motionseg.events._spell import Key, Spell
from motionseg.events.rules import Leave

__all__ = ["Book"]

_ROUNDING = 1e-6  # seconds by which sums of times may be short


class Book:
    """Spells by rule, zone and track; what they have to tell gathers in `told`."""

    def __init__(self, camera: str, rules: Iterable[Rule], next_number: int) -> None:
        self.camera, self.next_number = camera, next_number
        self.rules = {rule.name: rule for rule in rules}
        self.time = -math.inf
        self.clock = self.quiet = 0.0  # seconds looked at, and those of them in which motion was not suppressed
        self.spells: dict[Key, Spell] = {}
        self.ended: dict[tuple[str, str], float] = {}
        self.told: list[Event] = []

    @property
    def is_suppressed(self) -> bool:
        """Whether the picture is such that motion is not to be told."""
        rules = (self.rules[key[0]] for key in self.spells)
        return any(isinstance(rule, VerdictRule) and rule.suppresses for rule in rules)

    def hold(self, rule: Any, key: Key, on: bool, keep: bool, area: float, score: float, tracks: list[int]) -> bool:
        """Note whether a condition holds, or would go on to hold; whether an event is to begin now."""
        is_verdict = isinstance(rule, VerdictRule)
        clock = self.clock if is_verdict else self.quiet
        spell = self.spells.get(key)
        if spell is None:
            if not on:
                return False
            spell = self.spells[key] = Spell(self.time, clock)
        elif not keep:
            spell.off = True
            if clock - spell.last_clock >= (rule.settle if is_verdict else rule.end_delay) - _ROUNDING:
                self.finish(key, "over")
            return False
        spell.note(self.time, clock, area, score, tracks)
        if is_verdict and not rule.suppresses and not spell.id:
            spell.silent = spell.silent or self.is_suppressed
        duration = rule.min_duration if is_verdict else rule.duration
        is_due = on and clock - spell.onset_clock >= duration - _ROUNDING
        is_news = not (spell.id or spell.silent or isinstance(rule, Leave))
        return is_news and is_due and self._has_cooled(rule, key)

    def hold_hidden(self, rule: LastingRule, zone: str, seen: set[int]) -> None:
        """Tracks that are not `seen` are where they were."""
        for key, spell in self.spells.items():
            if key[0] == rule.name and key[1] == zone and key[2] not in seen:
                spell.last_clock = self.quiet

    def begin(self, key: Key, reason: dict[str, Any]) -> None:
        """Tell that an event begins."""
        spell = self.spells[key]
        spell.id, spell.reason = self._next_id(spell.onset), reason
        self.told.append(spell.event(self.camera, key))

    def tell_moment(self, key: Key, time: float, area: float, score: float, tracks: list[int], reason: Any) -> None:
        """Tell of an event that begins and ends at once."""
        if self._has_cooled(self.rules[key[0]], key):
            spell = Spell(time, 0.0, peak_area=area, score=score, tracks=tracks, reason=reason)
            spell.id = self._next_id(time)
            self.told += [spell.event(self.camera, key), spell.event(self.camera, key, time, "moment")]
            self.ended[key[:2]] = time

    def finish(self, key: Key, ended: str, *, silently: bool = False) -> None:
        """A condition is over: its event ends, or it was one that is told only now, unless `silently`."""
        spell, rule = self.spells.pop(key), self.rules[key[0]]
        if spell.id:
            self.told.append(spell.event(self.camera, key, spell.last, ended))
            self.ended[key[:2]] = spell.last
        elif isinstance(rule, Leave) and not silently and (spell.off or rule.vanishing):
            stayed = spell.last_clock - spell.onset_clock
            if stayed >= rule.duration - _ROUNDING:
                reason = {"kind": rule.kind, "measure": rule.measure, "how": "out" if spell.off else "gone"}
                self.tell_moment(
                    key, spell.last, spell.peak_area, spell.score, spell.tracks, {**reason, "stayed": stayed}
                )

    def forget_gone(self, alive: set[int]) -> None:
        """End what is told of tracks that are not `alive`."""
        silently = self.is_suppressed
        for key in [key for key in self.spells if key[2] and key[2] not in alive]:
            self.finish(key, "gone", silently=silently)

    def end_all(self, ended: str) -> None:
        """Open events end when they held last; whatever waits is forgotten."""
        for key in list(self.spells):
            self.finish(key, ended, silently=True)

    def end_before_gap(self, time: float) -> None:
        """Open events have ended; what has not lasted long enough waits on from `time`."""
        for key, spell in list(self.spells.items()):
            if spell.id:
                self.finish(key, "gap")
                self._tell_once(key, spell, time)
            elif isinstance(self.rules[key[0]], VerdictRule):
                del self.spells[key]
            else:
                spell.onset = time

    def disown(self, ids: Container[str]) -> None:
        """Of these events, which have ended elsewhere, nothing is told any more; what holds on begins anew."""
        for key, spell in list(self.spells.items()):
            if spell.id and spell.id in ids:
                del self.spells[key]
                self._tell_once(key, spell, self.time)

    def _tell_once(self, key: Key, spell: Spell, time: float) -> None:
        """Let what goes on after `spell` not be told again, where its rule is one of those."""
        if self.rules[key[0]].once:
            self.spells[key] = Spell(time, self.quiet, spell.last, self.quiet, silent=True)

    def postpone(self, time: float) -> None:
        """What holds and is not told begins at `time`."""
        for spell in self.spells.values():
            if not spell.id:
                spell.onset = time

    def _next_id(self, start: float) -> str:
        """The start is part of it: numbers repeat when an older state is loaded, times do not."""
        self.next_number += 1
        return f"{self.camera}-{self.next_number - 1}-{round(start * 1000)}"

    def _has_cooled(self, rule: Rule, key: Key) -> bool:
        ended = self.ended.get(key[:2])
        return ended is None or self.time - ended >= rule.cool_down - _ROUNDING
