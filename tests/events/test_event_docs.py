"""The example of docs/events.md runs, and tells what it is to tell; its tables know all rules and parameters."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import motionseg
from motionseg import events
from motionseg.events.rules import KINDS

PAGE = Path(motionseg.__file__).parents[1] / "docs" / "events.md"


@pytest.mark.slow
def test_the_example_tells_who_came_in():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names = {"print": lambda *_: None}
    exec(compile(code, str(PAGE), "exec"), names)
    told = [(event.rule, event.zone) for event in names["events"] if event.is_open]
    assert told == [("enter", "yard"), ("cross", "gate"), ("linger", "yard")]
    assert len(names["events"]) == 6


def test_the_page_knows_all_rules_and_parameters():
    page = PAGE.read_text(encoding="utf-8")
    for cls in KINDS.values():
        assert f"`{cls.__name__}`" in page
        for field in fields(cls):
            assert f"`{field.name}`" in page, f"{cls.__name__}.{field.name}"


def test_every_public_name_resolves():
    for cls in KINDS.values():
        assert getattr(events, cls.__name__) is cls
    for name in dir(events):
        assert getattr(events, name) is not None
