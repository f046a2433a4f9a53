"""What a camera's section says becomes zones, lines, rules, a detector, a segmenter; an editor's JSON, too."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionseg.apps.service import building
from motionseg.apps.service._rule_checks import _parameters
from motionseg.apps.service.config import example_config, parse_config
from motionseg.core.errors import ParameterError
from motionseg.events import Cross, Enter, Line, Zone
from motionseg.events.rules import KINDS

CAMERA = '[[camera]]\nname = "door"\nsource = "door.mp4"\n'


def camera_with(text):
    return parse_config(CAMERA + text).camera[0]


ZONE = '[[camera.zone]]\nname="{0}"\nkind="{1}"\npoints=[[0, 0], [1, 0], [1, 1], [0, 1]]\n'
LINE = '[[camera.line]]\nname="gate"\npoints=[[0,0],[1,1]]\n'


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", [Enter()]),
        (ZONE.format("a", "exclude"), [Enter()]),
        (ZONE.format("a", "include"), [Enter(zones="a")]),
        (ZONE.format("a", "include") + ZONE.format("b", "include") + LINE, [Enter(zones=("a", "b")), Cross()]),
        (LINE, [Cross()]),
        (ZONE.format("a", "preclusive") + LINE, [Cross()]),
        (LINE + '[[camera.rule]]\nkind="enter"\n', [Enter()]),
    ],
)
def test_rules_where_nobody_gives_some(text, rules):
    camera = camera_with(text)
    assert building.build_rules(camera) == rules
    detector = building.build_detector(camera, first_number=7)
    assert (detector.next_number, detector.camera, detector.max_gap) == (7, "door", 5.0)
    assert list(detector.places) == building.build_places(camera)


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_can_be_written_with_all_that_it_has(kind):
    needed = {"above": 9.0, "direction": 90.0, "at_least": 3}
    values = {
        key: list(f.default) if isinstance(f.default, tuple) else needed[key] if f.default is MISSING else f.default
        for key, f in _parameters(KINDS[kind]).items()
    }
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    (rule,) = building.build_rules(camera_with(f'{LINE}[[camera.rule]]\nkind="{kind}"\nname="r"\n{toml}'))
    assert type(rule) is KINDS[kind]
    assert rule.params() == {"kind": kind, "name": "r", **values}
    assert building.rules_from_dicts([rule.params()], [Line("gate", [(0, 0), (9, 9)])]) == [rule]


def test_what_objects_say_of_themselves_makes_them_again():
    camera = parse_config(example_config()).camera[0]
    places = building.build_places(camera)
    zones = [json.loads(json.dumps(vars(place))) for place in places if isinstance(place, Zone)]
    lines = [json.loads(json.dumps(vars(place))) for place in places if isinstance(place, Line)]
    assert (len(zones), len(lines)) == (3, 1)
    assert building.places_from_dicts(zones, lines) == places
    rules = building.build_rules(camera)
    assert building.rules_from_dicts(json.loads(json.dumps([rule.params() for rule in rules])), places) == rules


@pytest.mark.parametrize(
    ("zones", "lines", "message"),
    [
        ([{"name": "a", "points": [[0, 0], [1, 1]]}], [], "zone[0].points: zone 'a' has 2 corners"),
        ([{"name": "a"}], [], "zone[0].points: is missing"),
        ([], [{"name": "a", "points": [[0, 0], [1, 1]], "sides": ["a"]}], "line[0].sides[1]: is missing"),
        ([], [{"name": "a", "points": [[0, 0], [1, None]]}], "line[0].points[1][1]: is a number"),
        ([3], [], "zone[0]: is a table, not 3"),
        ("abc", [], "zone: is a list"),
        ([{"name": "a", "points": [[0, 0]] * 101}], [], "zone[0].points: there are more than 100"),
        (
            [{"name": "a", "points": [[0, 0], [1, 0], [1, 1]]}] * 2,
            [],
            "zone[1].name: two zones or lines are called 'a'",
        ),
        ([{"name": "a", "points": [[0, 0], [10**400, 0], [1, 1]]}], [], "zone[0].points[1][0]: is a number"),
        ([{"name": "a", "colour": 1, "points": [[0, 0], [1, 0], [1, 1]]}], [], "zone[0].colour: there is no such key"),
    ],
)
def test_wrong_places_of_an_editor_are_named(zones, lines, message):
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}"):
        building.places_from_dicts(zones, lines)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"kind": "enter", "zones": ["b"]}], "rule[0].zones: rule 'enter': there is no zone 'b' that includes, but a"),
        ([{"kind": "enter"}, {"kind": "enter"}], "rule[1].name: two rules are called 'enter'"),
        ([{"kind": "entre"}], "rule[0].kind: there is no such rule; did you mean 'enter'?"),
        ([{}], "rule[0].kind: is missing"),
        ([{"kind": "speed", "above": 10**400}], "rule[0].above: is a huge number"),
        ([{"kind": "speed", "above": None}], "rule[0].above: is a number, a text"),
        ([{"kind": "speed", "above": {"a": [1]}}], "rule[0].above: is a number, a text"),
        ([{"kind": "speed", "above": float("nan")}], "rule[0].above: rule 'speed': above is in"),
        ([{"kind": "cross"}], "rule[0]: rule 'cross': there is no line to cross"),
        ([None], "rule[0]: is a table"),
        ({"kind": "enter"}, "rule: is a list"),
    ],
)
def test_wrong_rules_of_an_editor_are_named(rules, message):
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}"):
        building.rules_from_dicts(rules, [Zone("a", [(0, 0), (9, 0), (9, 9)])])


def test_the_segmenter_is_as_it_is_set():
    text = (
        'model="sigma_delta+guard"\nlinker="overlap"\nsettings={guard.ghosts=false, min_area=9, linker.max_gap=0.5}\n'
    )
    segmenter = building.build_camera_segmenter(camera_with(text))
    assert segmenter.explain is True
    assert (segmenter.min_area, segmenter.background.ghosts, segmenter.linker.max_gap) == (9, False, 0.5)
    assert building.build_camera_segmenter(camera_with('settings.min_area="none"')).min_area is None


@pytest.mark.slow  # imports torch
def test_a_refined_segmenter_is_built():
    refined = building.build_camera_segmenter(camera_with('model="sigma_delta"\nrefine=true'))
    assert type(refined.background).__name__ == "Refined"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = ["name", "kind", "points", "zones", "relative", "above", "limit", "sides", "min_area", "cool_down"]
ITEMS = st.dictionaries(st.sampled_from(KEYS), VALUES | st.sampled_from([*KINDS, "include"])) | VALUES


@settings(max_examples=150)
@given(st.lists(ITEMS, max_size=4) | VALUES)
def test_any_json_of_an_editor_is_taken_or_refused(items):
    for make in (building.places_from_dicts, lambda x: building.places_from_dicts([], x), building.rules_from_dicts):
        told = ""
        try:
            make(items)
        except ParameterError as error:
            told = str(error)
        assert all(re.match(r"(zone|line|rule).*: \S", line) for line in told.splitlines()), told
