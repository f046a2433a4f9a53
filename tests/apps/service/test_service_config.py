"""A configuration is what it says, or an error says where it is wrong; secrets are nowhere; the page on it is true."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import motionseg
from motionseg.apps import cli
from motionseg.apps.service import _sections, building
from motionseg.apps.service._rule_checks import _parameters
from motionseg.apps.service.config import (
    CameraSection,
    Config,
    config_schema,
    example_config,
    load_config,
    parse_config,
    shown_address,
)
from motionseg.core.errors import ParameterError
from motionseg.events import Cross, Enter, Line, Zone
from motionseg.events.rules import KINDS, LastingRule, VerdictRule

CAMERA = '[[camera]]\nname = "door"\nsource = "door.mp4"\n'
SQUARE = "[[0, 0], [1, 0], [1, 1], [0, 1]]"
WITH_ZONE = CAMERA + f'[[camera.zone]]\nname = "yard"\npoints = {SQUARE}\n'
SECRET = "hunter2-\\\"'x"
DOCS = Path(motionseg.__file__).parent.parent / "docs" / "configuration.md"


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def error_of(text, name="c.toml"):
    with pytest.raises(ParameterError) as caught:
        parse_config(text, name)
    return str(caught.value)


# --- what is right -----------------------------------------------------------------------------


def test_the_smallest_one_has_all_defaults():
    config = parse_config(CAMERA)
    (camera,) = config.camera
    assert (config.service.host, config.service.port, config.service.token) == ("127.0.0.1", 8080, None)
    assert (config.jsonl, config.mqtt, config.webhook, config.store.url) == (None, None, (), None)
    assert (camera.address, camera.width, camera.max_fps, camera.model) == ("door.mp4", 640, None, "auto")
    assert (camera.zone, camera.line, camera.rule, camera.settings) == ((), (), (), {})
    with pytest.raises(ValueError, match="frozen"):
        camera.width = 5


WAYS = {
    "headers": '[[camera]]\nname="a"\nsource="0"\n[[camera.rule]]\nkind="enter"\nzones="z"\n'
    f'[[camera.zone]]\nname="z"\npoints={SQUARE}\n[camera.settings]\nguard.ghosts=true\nhistory=300\n',
    "inline": 'camera=[{name="a",source="0",rule=[{kind="enter",zones="z"}],'
    f'zone=[{{name="z",points={SQUARE}}}],settings={{"guard.ghosts"=true,history=300}}}}]',
    "quoted and dotted": '[[ "camera" ]]\n\'name\' = \'\'\'a\'\'\'\n"source" = """\\\n   0"""\nsettings.guard.ghosts=true # x\n'
    f'"settings".history = 3_00\n[[camera . "zone"]]\nname="z"\npoints=[ # corners\n[0, 0],[1,0],\n\n[1,1], # ]\n[0,1],]\n'
    '[[camera.rule]]\nkind="enter"\nzones="z"\n',
    "from the middle": f'[[camera]]\nname="a"\nsource=0\nzone=[{{name="z",points={SQUARE}}}]\n[camera.settings]\nhistory=300\n'
    '[camera.settings.guard]\nghosts=true\n[[camera.rule]]\nkind="enter"\nzones="z"\n[service]\n[store]\n',
}


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_that_toml_has_say_the_same(way):
    camera = parse_config(WAYS[way]).camera[0]
    assert camera == parse_config(WAYS["headers"]).camera[0]
    assert (camera.address, camera.settings) == (0, {"guard.ghosts": True, "history": 300})
    (zone,), (rule,) = building.build_places(camera), building.build_rules(camera)
    assert zone == Zone("z", ((0, 0), (1, 0), (1, 1), (0, 1)), relative=True)
    assert rule == Enter(zones="z")


@pytest.mark.parametrize("form", ["crlf", "bom", "both", "no last line end"])
def test_files_of_any_editor(form, tmp_path):
    text = example_config()
    content = (text.replace("\n", "\r\n") if form in ("crlf", "both") else text).encode()
    content = b"\xef\xbb\xbf" + content if form in ("bom", "both") else content
    path = tmp_path / "c.toml"
    path.write_bytes(content.rstrip() if form == "no last line end" else content)
    assert load_config(path) == parse_config(text, folder=tmp_path)
    path.write_bytes(content.replace(b"port = 8080", b"port = 80800"))
    line = text[: text.index("port = 8080")].count("\n") + 1
    with pytest.raises(ParameterError, match=f"c.toml:{line}: service.port: is at most 65535, not 80800"):
        load_config(path)


def test_names_of_files_are_seen_from_the_folder_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "c.toml"
    more = '[[camera]]\nname="b"\nsource="rtsp://u:p@h/s"\n[[camera]]\nname="c"\nsource="/v/*.png"\n[[camera]]\nname="d"\nsource=2'
    path.write_text(
        f'[store]\nurl="sqlite:e.db"\n[jsonl]\npath="j"\n[mqtt]\nhost="h"\ntls=true\nca_file="../ca"\n{CAMERA}{more}'
    )
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("etc") / "c.toml")
    etc = tmp_path / "etc"
    assert config.service.state_dir == etc / "motionseg-state"
    assert config.jsonl.path == etc / "j"
    assert config.mqtt.ca_file == etc / "../ca"
    assert config.store.url.get_secret_value() == f"sqlite:{etc}/e.db"
    assert [camera.address for camera in config.camera] == [f"{etc}/door.mp4", "rtsp://u:p@h/s", "/v/*.png", 2]
    assert config.recordings.folder is None
    assert parse_config(path.read_text()).jsonl.path == Path("j")
    monkeypatch.setenv("HOME", str(tmp_path))
    path.write_text(CAMERA + '[service]\nstate_dir = "~/state"')
    assert load_config(path).service.state_dir == tmp_path / "state"


def test_environment_variables_are_taken_in_texts(monkeypatch):
    monkeypatch.setenv("PASSWORD", SECRET)
    monkeypatch.setenv("EMPTY", "")
    text = (
        '[service]\ntoken="${PASSWORD}"\n[mqtt]\nhost="h"\nusername="$${PASSWORD}$"\npassword="a${PASSWORD}b${EMPTY}"\n'
    )
    config = parse_config(text + CAMERA)
    assert config.service.token.get_secret_value() == SECRET
    assert config.mqtt.password.get_secret_value() == f"a{SECRET}b"
    assert config.mqtt.username == "${PASSWORD}$"
    monkeypatch.delenv("PASSWORD")
    message = "the environment variable PASSWORD is not set"
    told = error_of(text + CAMERA).splitlines()
    assert told == [f"c.toml:2: service.token: {message}", f"c.toml:6: mqtt.password: {message}"]
    assert "c.toml:4: camera[0].zone[0].name" in error_of(WITH_ZONE.replace('"yard"', '"${no"')).replace(":5:", ":4:")


def test_sinks_and_the_words_for_none():
    text = '[mqtt]\nhost="h"\ndiscovery=""\n[[webhook]]\nurl="https://h/x?k=1"\nrules=["enter","light"]\ncameras=["door"]\n'
    config = parse_config(text + CAMERA + "width = 0\n")
    assert config.mqtt.discovery is None
    assert config.camera[0].width is None
    assert (config.webhook[0].phases, config.webhook[0].rules) == (("begin", "end"), ("enter", "light"))


def test_others_reach_the_service_with_a_token_only():
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert parse_config(f'[service]\nhost="{host}"\n{CAMERA}').service.token is None
    for host in ("0.0.0.0", "::", "cam.local", "127.0.0.1.example.org", "127.1", "10.0.0.1"):
        assert "c.toml:2: service.host: others reach" in error_of(f'[service]\nhost="{host}"\n{CAMERA}')
        parse_config(f'[service]\nhost="{host}"\ntoken="12345678"\n{CAMERA}')


# --- objects -----------------------------------------------------------------------------------


def camera_with(text):
    return parse_config(CAMERA + text).camera[0]


ZONE = '[[camera.zone]]\nname="{0}"\nkind="{1}"\npoints=' + SQUARE + "\n"
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
    refined = building.build_camera_segmenter(camera_with('model="sigma_delta"\nrefine=true'))
    assert type(refined.background).__name__ == "Refined"
