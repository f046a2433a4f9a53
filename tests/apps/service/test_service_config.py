"""A configuration is what it says, or an error says where it is wrong; secrets are nowhere; the page on it is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import motionseg
from motionseg.apps import cli
from motionseg.apps.service import building
from motionseg.apps.service._toml import read_toml
from motionseg.apps.service.config import (
    CameraSection,
    example_config,
    load_config,
    parse_config,
    shown_address,
)
from motionseg.core.errors import ParameterError
from motionseg.events import Enter, Zone

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
    "quoted and dotted": '[[ "camera" ]]\n\'name\' = \'\'\'a\'\'\'\n"source" = """\\\n   0"""\n'
    'settings.guard.ghosts=true # x\n"settings".history = 3_00\n[[camera . "zone"]]\nname="z"\n'
    "points=[ # corners\n[0, 0],[1,0],\n\n[1,1], # ]\n[0,1],]\n"
    '[[camera.rule]]\nkind="enter"\nzones="z"\n',
    "from the middle": f'[[camera]]\nname="a"\nsource=0\nzone=[{{name="z",points={SQUARE}}}]\n'
    '[camera.settings]\nhistory=300\n[camera.settings.guard]\nghosts=true\n[[camera.rule]]\nkind="enter"\nzones="z"\n[service]\n[store]\n',
}


WAYS |= {
    "zones by name": f'[[camera]]\nname="a"\nsource="0"\nzones={{z={SQUARE}}}\n'
    'settings={"guard.ghosts"=true,history=300}\nrules=[{kind="enter",zones="z"}]',
    "zones as tables": f'[[camera]]\nname="a"\nsource="0"\nsettings={{"guard.ghosts"=true,history=300}}\n'
    f'[camera.zones.z]\npoints={SQUARE}\n[[camera.rules]]\nkind="enter"\nzones="z"\n',
    "zones as a list": f'[[camera]]\nname="a"\nsource="0"\nzones=[{{name="z",points={SQUARE}}}]\n'
    'settings={"guard.ghosts"=true,history=300}\nrules=[{kind="enter",zones="z"}]',
}


@pytest.mark.parametrize("way", WAYS)
def test_all_ways_that_toml_has_say_the_same(way):
    camera = parse_config(WAYS[way]).camera[0]
    assert camera == parse_config(WAYS["headers"]).camera[0]
    assert (camera.address, camera.settings) == (0, {"guard.ghosts": True, "history": 300})
    (zone,), (rule,) = building.build_places(camera), building.build_rules(camera)
    assert zone == Zone("z", ((0, 0), (1, 0), (1, 1), (0, 1)), relative=True)
    assert rule == Enter(zones="z")


def leaves(value, path=()):
    """Every path in what TOML says, and the last key on it."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from leaves(inner, (*path, key))


@pytest.mark.parametrize("text", [*WAYS.values(), example_config()], ids=[*WAYS, "the example"])
def test_every_key_has_a_line_and_stands_in_it(text):
    data, lines = read_toml(text)
    written = text.splitlines()
    for path in leaves(data):
        line = lines.of(path)
        if isinstance(path[-1], str):
            assert path[-1] in written[line - 1] or path[-1].encode("unicode_escape").decode() in written[line - 1], (
                path
            )
        else:
            assert lines.of(path[:-1]) <= line
    for number, line in enumerate(written, 1):  # and no other one
        if found := re.match(r"(\w+) = ", line):
            assert [path for path in leaves(data) if path[-1] == found[1] and lines.of(path) == number], line


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


# --- what is wrong -----------------------------------------------------------------------------

RULE = "[[camera.rule]]\n"
LINE = '[[camera.line]]\nname="gate"\npoints=[[0,0],[1,1]]\n'
HOOK = '[[webhook]]\nurl="http://h"\n'

# What is put behind a good camera (which has 3 lines), or instead of it, and how each line of the error begins.
WRONG = {
    # no TOML
    "": ["1: camera: is missing: write [[camera]] for each"],
    "# only a comment\n": ["1: camera: is missing"],
    "nonsense": ["1: this is no TOML"],
    "\0": ["1: this is no TOML"],
    "[[camera]\nname='a'": ["1: this is no TOML"],
    CAMERA + "width = ": ["4: this is no TOML"],
    CAMERA + "width = 1\nwidth = 2": ["5: this is no TOML: the key is there twice"],
    CAMERA + "[service]\n[service]": ["5: this is no TOML: [service] is there twice"],
    CAMERA + 'model = "auto\n': ["4: this is no TOML"],
    CAMERA + 'model = """auto\n\n\n': ["4: this is no TOML"],
    CAMERA + "zone = [{name='a'},\n\n": ["4: this is no TOML"],
    CAMERA + "model = 'a' linker = 'b'": ["4: this is no TOML"],
    CAMERA + 'model = "C:\\data"': ['4: this is no TOML: a text in "..." with a single \\'],
    CAMERA + 'model = "C:\\films"': ["4: camera[0].model: has a control character"],
    CAMERA + "max_fps = 1.": ["4: this is no TOML"],
    CAMERA + "max_fps = 1,5": ["4: this is no TOML"],
    CAMERA + "loop = True": ["4: this is no TOML"],
    CAMERA + "loop = yes": ["4: this is no TOML"],
    CAMERA + "max_fps = 007": ["4: this is no TOML"],
    CAMERA + "max_fps = null": ["4: this is no TOML"],
    CAMERA + "width = " + "9" * 5000: ["4: this is too long for a number"],
    CAMERA + "settings = " + "[" * 10000: ["4: lists and tables are more than 16 deep"],
    CAMERA + "settings = " + "{a=" * 10000: ["4: lists and tables are more than 16 deep"],
    CAMERA + "a." * 10000 + "a=1": ["4: a key of more than 16 parts"],
    CAMERA + "[" + "a." * 10000 + "a]": ["4: a key of more than 16 parts"],
    "#" * 1_000_001: ["1: more than 1000000 characters"],
    "camera: \n  - name: door\n": ["1: this is no TOML"],
    '{"camera": [{"name": "door"}]}': ["1: this is no TOML"],
    # tables
    "[camera]\nname='a'\nsource='0'": ["1: camera: is a list, not a table: write [[camera]]"],
    "camera = []": ["1: camera: the list is empty"],
    "camera = 'door'": ["1: camera: is a list, not a text"],
    "camera = [1]": ["1: camera[0]: is a table, not 1"],
    CAMERA + "[[service]]\nport=1": ["4: service: is a table, not a list: write [service]"],
    CAMERA + "[webhook]\nurl='http://h'": ["4: webhook: is a list, not a table: write [[webhook]]"],
    CAMERA + "[camera.zone]\nname='z'": ["4: camera[0].zone: is a list, not a table: write [[camera.zone]]"],
    "service = 3\n" + CAMERA: ["1: service: is a table, not 3"],
    "cameras = 3\n" + CAMERA: ["1: cameras: there is no such key; did you mean 'camera'?"],
    "port = 80\n" + CAMERA: ["1: port: is no key of this table, but of [service] or [mqtt]"],
    CAMERA + "[sevrice]\nport=80": ["4: sevrice: there is no such key; did you mean 'service'?"],
    CAMERA + "[output]\n": ["4: output: there is no such key; there are: service, store"],
    CAMERA + "widht = 640": ["4: camera[0].widht: there is no such key; did you mean 'width'?"],
    CAMERA + '"wi\\ndth" = 640': ['4: camera[0]."wi\\ndth": there is no such key'],
    CAMERA + "zonen = []": ["4: camera[0].zonen: there is no such key; did you mean 'zone'?"],
    CAMERA + "zone = []\nzones = []": ["5: camera[0].zones: there is no such key; did you mean 'zone'?"],
    CAMERA + "zones = 3": ["4: camera[0].zone: is a list, not 3"],
    CAMERA + "[camera.zones]\nyard = [[0,0],[1,0]]": ["5: camera[0].zone[0].points: zone 'yard' has 2 corners"],
    CAMERA + "[camera.zones.yard]\nkind = 'exclude'\nx = 1": [
        "4: camera[0].zone[0].points: is missing",
        "6: camera[0].zone[0].x: there is no such key",
    ],
    CAMERA + "[[camera.rules]]\nkind = 'enter'\n[[camera.rules]]\nkind = 'dance'": [
        "7: camera[0].rule[1].kind: there is no such rule"
    ],
    CAMERA + "name.x = 1": ["4: this is no TOML"],
    WITH_ZONE + "width = 5": [
        "7: camera[0].zone[0].width: is no key of this table, but of [[camera]]: write it above [[camera.zone]]"
    ],
    CAMERA + RULE + 'kind="enter"\nwidth=5': [
        "6: camera[0].rule[0].width: is no key of this table, but of [[camera]]: write it above [[camera.rule]]"
    ],
    CAMERA + "token = 'abcdefgh'": ["4: camera[0].token: is no key of this table, but of [service]"],
    # the service
    CAMERA + "[service]\nport = 65536": ["5: service.port: is at most 65535, not 65536"],
    CAMERA + "[service]\nport = -1": ["5: service.port: is at least 0, not -1"],
    CAMERA + "[service]\nport = '80'": ["5: service.port: is an integer, not a text"],
    CAMERA + "[service]\nport = 80.0": ["5: service.port: is an integer, not 80"],
    CAMERA + "[service]\nport = true": ["5: service.port: is an integer, not true"],
    CAMERA + "[service]\nport = 0x" + "f" * 300: ["5: service.port: is at most 65535, not a huge number"],
    CAMERA + "[service]\nport = 2026-11-30": ["5: service.port: is an integer, not a date or time"],
    CAMERA + "[service]\nport = 07:32:00": ["5: service.port: is an integer, not a date or time"],
    CAMERA + "[service]\nport = [1]": ["5: service.port: is an integer, not a list"],
    CAMERA + "[service]\nhost = ''": ["5: service.host: is the name or number of a host"],
    CAMERA + "[service]\nhost = 'http://localhost'": ["5: service.host: is the name or number of a host"],
    CAMERA + "[service]\nhost = '0.0.0.0'": ["5: service.host: others reach 0.0.0.0, so a token is needed"],
    CAMERA + "[service]\ntoken = 'short'": ["5: service.token: is 8 ASCII characters or more"],
    CAMERA + "[service]\ntoken = ''": ["5: service.token: the text is empty"],
    CAMERA + "[service]\ntoken = 12345678": ["5: service.token: is a text, not 1.23457e+07"],
    CAMERA + "[service]\nstate_every = 0": ["5: service.state_every: is at least 1, not 0"],
    CAMERA + "[service]\nstate_every = nan": ["5: service.state_every: is a finite number, not nan"],
    CAMERA + "[service]\nstate_every = inf": ["5: service.state_every: is a finite number, not inf"],
    CAMERA + "[service]\nstate_every = 1e999": ["5: service.state_every: is a finite number, not inf"],
    CAMERA + "[service]\nstate_every = '60 s'": ["5: service.state_every: is a number, not a text"],
    CAMERA + "[service]\nlog_level = 'verbose'": ["5: service.log_level: is one of 'debug', 'info'"],
    CAMERA + "[service]\nstate_dir = ''": ["5: service.state_dir: the text is empty"],
    CAMERA + "[service]\nstate_dir = 3": ["5: service.state_dir: is a text, the name of a file or folder, not 3"],
    CAMERA + '[service]\nstate_dir = "a\\u0000b"': ["5: service.state_dir: has a control character"],
    # store, recordings and sinks
    CAMERA + "[store]\nurl = 'mysql://h/d'": ["5: store.url: is sqlite:FILE or postgresql://"],
    CAMERA + "[store]\nurl = 'sqlite:///e.db'": ["5: store.url: a file is sqlite:FILE, without //"],
    CAMERA + "[store]\nurl = 'sqlite::memory:'": ["5: store.url: a file is sqlite:FILE"],
    CAMERA + "[store]\nkeep_days = 0": ["5: store.keep_days: is above 0, not 0"],
    CAMERA + "[recordings]\npre_roll = 61": ["5: recordings.pre_roll: is at most 60, not 61"],
    CAMERA + "[recordings]\nclips = 1": ["5: recordings.clips: is true or false, not 1"],
    CAMERA + "[recordings]\nkeep_gb = -1e300": ["5: recordings.keep_gb: is above 0, not -1e+300"],
    CAMERA + "[jsonl]\n": ["4: jsonl.path: is missing"],
    CAMERA + "[jsonl]\npath = 'j'\nkeep = 1.5": ["6: jsonl.keep: is an integer, not 1.5"],
    CAMERA + "[mqtt]\nport = 0": ["4: mqtt.host: is missing", "5: mqtt.port: is at least 1, not 0"],
    CAMERA + "[mqtt]\nhost='h'\ntopic='a/#'": ["6: mqtt.topic: is words with / between them"],
    CAMERA + "[mqtt]\nhost='h'\ntopic=''": ["6: mqtt.topic: the text is empty"],
    CAMERA + "[mqtt]\nhost='h'\npassword='p'": ["6: mqtt.password: is of a user"],
    CAMERA + "[mqtt]\nhost='h'\nca_file='p'": ["6: mqtt.ca_file: is for TLS"],
    CAMERA + "[mqtt]\nhost='mqtt://h'": ["5: mqtt.host: is the name or number of a host"],
    CAMERA + "[[webhook]]\nname='a'": ["4: webhook[0].url: is missing"],
    CAMERA + "[[webhook]]\nurl='h/x'": ["5: webhook[0].url: is an address that begins with http:// or https://"],
    CAMERA + "[[webhook]]\nurl='http://'": ["5: webhook[0].url: is an address without a host"],
    CAMERA + HOOK + "phases=[]": ["6: webhook[0].phases: the list is empty"],
    CAMERA + HOOK + "phases=['begin',\n'middle']": ["7: webhook[0].phases[1]: is one of 'begin' or 'end'"],
    CAMERA + HOOK + "phases='begin'": ["6: webhook[0].phases: is a list, not a text"],
    CAMERA + HOOK + "cameras=['dor']": ["6: webhook[0].cameras[0]: there is no camera 'dor'; did you mean 'door'?"],
    CAMERA + HOOK + "rules=['entre']": ["6: webhook[0].rules[0]: there is no rule 'entre'; did you mean 'enter'?"],
    CAMERA + HOOK + HOOK: ["6: webhook[1].name: two webhooks are called 'webhook'"],
    CAMERA + HOOK + "name='mqtt'": ["6: webhook[0].name: 'mqtt' is the name of another sink"],
    CAMERA + HOOK + "timeout=301": ["6: webhook[0].timeout: is at most 300, not 301"],
    # cameras
    "[[camera]]\nname = 'door'": ["1: camera[0].source: is missing"],
    "[[camera]]\n\nsource = '0'": ["1: camera[0].name: is missing"],
    CAMERA + "\n" + CAMERA: ["6: camera[1].name: two cameras are called 'door'"],
    CAMERA.replace("door", "Door"): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"../door"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"' + "d" * 64 + '"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"door\\n"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', "5"): ["2: camera[0].name: is a text, not 5"],
    CAMERA.replace("door.mp4", ""): ["3: camera[0].source: the text is empty"],
    CAMERA.replace('"door.mp4"', "-1"): ["3: camera[0].source: is a text, not -1"],
    CAMERA.replace('"door.mp4"', "true"): ["3: camera[0].source: is a text, not true"],
    CAMERA.replace("door.mp4", "ftp://h/x"): ["3: camera[0].source: is an address that begins with rtsp://"],
    CAMERA.replace("door.mp4", "rtsp://"): ["3: camera[0].source: is an address without a host"],
    CAMERA.replace("door.mp4", "rtsp://u:p@"): ["3: camera[0].source: is an address without a host"],
    CAMERA + "width = 8": ["4: camera[0].width: is 16 pixels or more, or 0, not 8"],
    CAMERA + "width = -640": ["4: camera[0].width: is at least 0, not -640"],
    CAMERA + "max_fps = 0": ["4: camera[0].max_fps: is above 0, not 0"],
    CAMERA + "cpu = 0.01": ["4: camera[0].cpu: is at least 0.05, not 0.01"],
    CAMERA + "stall = 0.5": ["4: camera[0].stall: is at least 1, not 0.5"],
    CAMERA + "max_gap = -nan": ["4: camera[0].max_gap: is a finite number, not nan"],
    CAMERA + "model = 'nix'": ["4: camera[0].model: there is no background model 'nix'; there are: adaptive"],
    CAMERA + "model = ''": ["4: camera[0].model: the text is empty"],
    CAMERA + "model = 'no.such.module:Model'": ["4: camera[0].model: there is no class 'Model'"],
    CAMERA + "linker = 'nix'": ["4: camera[0].linker: there is no linker 'nix'; there are: "],
    CAMERA + "settings = 3": ["4: camera[0].settings: is a table, not 3"],
    CAMERA + "[camera.settings]\nhistoyr = 5": ["5: camera[0].settings.histoyr: adaptive has no parameter 'histoyr'"],
    CAMERA + "settings.guard.ghost = true": ['4: camera[0].settings."guard.ghost": guard has no parameter'],
    CAMERA + "settings = {history = -1,\n'linker.max_gap' = 'x'}"[:40]: ["4: this is no TOML"],
    CAMERA + "[camera.settings]\nhistory = -1\nlinker.max_gap = 'x'\nmin_area = 5": [
        "5: camera[0].settings.history: history is",
        '6: camera[0].settings."linker.max_gap": max_gap is a number',
    ],
    CAMERA + "settings = {history = nan}": ["4: camera[0].settings.history: is a finite number"],
    CAMERA + "settings = {history = [1]}": ["4: camera[0].settings.history: is a finite number"],
    CAMERA + "settings = {'guard.ghosts' = true, guard.ghosts = true}": [
        '4: camera[0].settings."guard.ghosts": the setting is given twice'
    ],
    CAMERA + "[camera.settings]\nhistory = 1" + "0" * 350: ["5: camera[0].settings.history: "],
    # zones and lines
    CAMERA + "[[camera.zone]]\nname='z'": ["4: camera[0].zone[0].points: is missing"],
    WITH_ZONE + f"[[camera.zone]]\nname='yard'\npoints={SQUARE}": [
        "8: camera[0].zone[1].name: two zones or lines are called 'yard'"
    ],
    WITH_ZONE + "[[camera.line]]\nname='yard'\npoints=[[0,0],[1,1]]": [
        "8: camera[0].line[0].name: two zones or lines are called 'yard'"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[[0,0],[1,1],[1,0],[0,1]]": [
        "6: camera[0].zone[0].points: zone 'z' crosses itself"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[[0,0],[2,0],[1,1]]": [
        "6: camera[0].zone[0].points: zone 'z': x of point 1 is in [0, 1], not 2"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[\n[0,0],\n[1],\n[1,'a']]": [
        "8: camera[0].zone[0].points[1][1]: is missing",
        "9: camera[0].zone[0].points[2][1]: is a number, not a text",
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[]": ["6: camera[0].zone[0].points: zone 'z' has 0 corners"],
    CAMERA + "[[camera.zone]]\nname='z'\npoints='0,0 1,1'": ["6: camera[0].zone[0].points: is a list, not a text"],
    CAMERA + "[[camera.zone]]\nname=''\npoints=" + SQUARE: ["5: camera[0].zone[0].name: the text is empty"],
    WITH_ZONE + "kind='inside'": ["7: camera[0].zone[0].kind: is one of 'include', 'exclude' or 'preclusive'"],
    WITH_ZONE + "limit=0": ["7: camera[0].zone[0].limit: is above 0, not 0"],
    WITH_ZONE + "relative=0": ["7: camera[0].zone[0].relative: is true or false, not 0"],
    WITH_ZONE + "relative=false": ["6: camera[0].zone[0].points: zone 'yard' lies within one pixel"],
    CAMERA + "[[camera.line]]\nname='l'\npoints=[[0,0]]": ["6: camera[0].line[0].points: line 'l' has 1 points"],
    CAMERA + LINE + "sides=['a','a']": ["7: camera[0].line[0].sides: are two different names"],
    CAMERA + LINE + "sides=['a']": ["7: camera[0].line[0].sides[1]: is missing"],
    # rules
    CAMERA + RULE: ["4: camera[0].rule[0].kind: is missing"],
    CAMERA + RULE + "kind='lingers'": ["5: camera[0].rule[0].kind: there is no such rule; did you mean 'linger'?"],
    CAMERA + RULE + "kind=5": ["5: camera[0].rule[0].kind: is a text, not 5"],
    CAMERA + RULE + "kind='speed'": ["4: camera[0].rule[0]: the rule 'speed' needs 'above'"],
    CAMERA + RULE + "kind='speed'\nabove=-3\nmin_share=2\nname='fast'": [
        "6: camera[0].rule[0].above: rule 'fast': above is in (0, 1e+09], not -3",
        "7: camera[0].rule[0].min_share: rule 'fast': min_share is in (0, 1], not 2",
    ],
    CAMERA + RULE + "kind='linger'\nseconds=nan": ["6: camera[0].rule[0].seconds: rule 'linger': seconds is in"],
    CAMERA + RULE + "kind='linger'\nseconds='5'": ["6: camera[0].rule[0].seconds: rule 'linger': seconds is a number"],
    CAMERA + RULE + "kind='linger'\nsecond=5": [
        "6: camera[0].rule[0].second: there is no such key; did you mean 'seconds'?"
    ],
    CAMERA + RULE + "kind='linger'\nseconds=2026-01-01": ["6: camera[0].rule[0].seconds: is a number, a text"],
    CAMERA + RULE + "kind='linger'\nseconds=1" + "0" * 350: ["6: camera[0].rule[0].seconds: is a huge number"],
    CAMERA + RULE + "kind='crowd_count'\nat_least=2.5": ["6: camera[0].rule[0].at_least: rule 'crowd_count'"],
    CAMERA + RULE + "kind='enter'\nposition='middle'": ["6: camera[0].rule[0].position: rule 'enter': position is one"],
    CAMERA + RULE + "kind='enter'\nzones=[1]": ["6: camera[0].rule[0].zones: is a list of texts"],
    CAMERA + RULE + "kind='enter'\nzones=['a','a']": ["6: camera[0].rule[0].zones: rule 'enter': zones has a name"],
    CAMERA + RULE + "kind='enter'\nname=''": ["6: camera[0].rule[0].name: the text is empty"],
    CAMERA + RULE + "kind='enter'\n" + RULE + "kind='enter'": [
        "6: camera[0].rule[1].name: two rules are called 'enter': name one"
    ],
    WITH_ZONE + RULE + "kind='enter'\nzones=['yrad']": [
        "9: camera[0].rule[0].zones: rule 'enter': there is no zone 'yrad' that includes, but yard"
    ],
    WITH_ZONE + "kind='exclude'\n" + RULE + "kind='enter'\nzones=['yard']": ["10: camera[0].rule[0].zones: rule"],
    CAMERA + RULE + "kind='cross'": ["4: camera[0].rule[0]: rule 'cross': there is no line to cross"],
    CAMERA + LINE + RULE + "kind='cross'\nlines='gaet'": ["9: camera[0].rule[0].lines: rule 'cross': there is no line"],
    CAMERA + LINE + RULE + "kind='cross'\ndirection='a-b'": ["9: camera[0].rule[0].direction: rule 'cross': direction"],
    # variables
    CAMERA + "model = '${NO_SUCH_VARIABLE}'": ["4: camera[0].model: the environment variable NO_SUCH_VARIABLE is not"],
    CAMERA + "model = '${}'": ["4: camera[0].model: ${NAME} is an environment variable; for ${ itself write $${"],
    CAMERA + "model = '${A B}'": ["4: camera[0].model: ${NAME} is an environment variable"],
    CAMERA + "model = '${A'": ["4: camera[0].model: ${NAME} is an environment variable"],
    # several at once, in the order of the file
    "[service]\nport = 99999\nprot = 1\n[mqtt]\ntls = 1\n" + CAMERA + "width = 1\nrefine = 'no'": [
        "2: service.port: ",
        "3: service.prot: there is no such key; did you mean 'port'?",
        "4: mqtt.host: is missing",
        "5: mqtt.tls: is true or false, not 1",
        "9: camera[0].width: ",
        "10: camera[0].refine: is true or false, not a text",
    ],
}


def test_there_are_more_than_a_hundred_wrong_ones():
    assert len(WRONG) >= 130


@pytest.mark.parametrize("text", WRONG, ids=[re.sub(r"\W+", " ", text)[-60:] or "empty" for text in WRONG])
def test_what_is_wrong_is_told_with_file_line_and_key(text):
    told = error_of(text).splitlines()
    assert len(told) == len(WRONG[text]), told
    for line, expected in zip(told, WRONG[text], strict=True):
        assert line.startswith(f"c.toml:{expected}"), line
        assert len(line) < 700


@pytest.mark.parametrize("step", [15, pytest.param(1, marks=pytest.mark.slow)])
def test_the_command_ends_with_2_on_each_of_them(step, tmp_path):
    for number, (text, expected) in enumerate(list(WRONG.items())[::step]):
        path = tmp_path / f"{number}.toml"
        path.write_bytes(text.encode())
        result = run("config", "check", path)
        assert (result.exit_code, result.stdout) == (2, ""), text[-200:]
        assert result.stderr.startswith(f"error: {path}:{expected[0]}"), result.stderr
        assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = '\xff'", "c.toml:2: this is not UTF-8: byte 0xff"),
        ("[[camera]]".encode("utf-16"), "c.toml:1: this is UTF-16; save it as UTF-8"),
        (b"", "c.toml:1: camera: is missing"),
        (bytes(range(256)) * 10, "c.toml:"),
        (b"#" * 1_000_001, "c.toml:1: more than 1000000 characters"),
        ("ä".encode() * 600_000, "c.toml:1: more than 1000000"),
        (None, "c.toml: this is a folder"),
        ("missing", "c.toml: cannot be read: No such file"),
    ],
)
def test_what_is_no_text_file_is_told_at_once(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is None:
        Path("c.toml").mkdir()
    elif content != "missing":
        Path("c.toml").write_bytes(content)
    result = run("config", "check", "c.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}")
    result = run("config", "check", "c.toml", "--json")
    assert json.loads(result.stdout)["kind"] == "ParameterError"


def test_a_file_that_never_ends_is_refused():
    for path in ("/dev/zero", "/dev/null", "/dev/stdin"):
        if Path(path).exists():
            with pytest.raises(ParameterError, match=path):
                load_config(path)
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(ParameterError, match="cannot be read"):
            load_config(path)


def test_a_thousand_errors_are_not_all_told():
    told = error_of("[[camera]]\n" * 200).splitlines()
    assert len(told) == 51
    assert told[-1] == "c.toml: and 350 more"


TOKENS = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "=",
    ".",
    ",",
    "\n",
    "#",
    "\\",
    "nan",
    "-",
    "9" * 30,
    "1e400",
]
TOKENS += [
    "true",
    "${X",
    "${HOME}",
    "\0",
    "\ufeff",
    "é",
    "\r",
    "[[camera]]\n",
    "[camera.settings]\n",
    "name = 'door'\n",
]
TOKENS += ["zone = 1\n", "0x1F", "1979-05-27 07:32:00", "[[camera.rule]]\n", "{a=1}", "[]"]


@st.composite
def mutants(draw):
    """The example, with up to four places of it cut out, repeated, exchanged or written over."""
    text = example_config()
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):  # whole lines
            lines = text.split("\n")
            i, j = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
            choice = draw(st.sampled_from(["cut", "again", "exchange", "move"]))
            if choice == "cut":
                del lines[i]
            elif choice == "again":
                lines.insert(j, lines[i])
            elif choice == "exchange":
                lines[i], lines[j] = lines[j], lines[i]
            else:
                lines.insert(j, lines.pop(i))
            text = "\n".join(lines)
        else:
            start = draw(st.integers(0, len(text)))
            length = draw(st.sampled_from([0, 0, 1, 2, 5, 40]))
            new = draw(st.sampled_from(TOKENS) | st.text(max_size=3))
            text = text[:start] + new + text[start + length :]
    return text


@settings(max_examples=300)
@given(mutants())
def test_a_mutant_is_a_configuration_or_its_errors_have_lines(text):
    try:
        config = parse_config(text, "c.toml")
    except ParameterError as error:
        n_lines = text.count("\n") + 1
        for line in str(error).splitlines():
            found = re.fullmatch(r"c\.toml:(\d+): \S.*", line)
            assert found or line.startswith("c.toml: and"), line
            assert not found or 1 <= int(found[1]) <= n_lines
    else:
        for camera in config.camera:
            building.build_detector(camera)
            building.build_camera_segmenter(camera)


# --- secrets -----------------------------------------------------------------------------------

SECRETS = f"""
[service]
token = "{SECRET}-token"
[store]
url = "postgresql://me:{SECRET}-store@db/events"
[mqtt]
host = "broker"
username = "me"
password = "{SECRET}-mqtt"
[[webhook]]
url = "https://hook/{SECRET}-path?key={SECRET}-key"
secret = "{SECRET}-hmac"
[[camera]]
name = "door"
source = "rtsp://admin:{SECRET}/@#-camera@10.0.0.4:554/user=x_password={SECRET}"
"""
LEAK = re.compile("hunter2")


def test_secrets_are_in_nothing_that_is_shown(tmp_path):
    config = parse_config(SECRETS)
    assert config.service.token.get_secret_value() == "hunter2-\"'x-token"
    path = tmp_path / "c.toml"
    path.write_text(SECRETS)
    shown = [run("config", "check", path), run("config", "check", path, "--json")]
    assert [result.exit_code for result in shown] == [0, 0], shown[0].stderr
    assert "rtsp://10.0.0.4:554/..." in shown[0].stdout
    assert "postgresql://db/..." in shown[0].stdout
    assert "https://hook/..." in shown[0].stdout
    for text in (repr(config), str(config), config.model_dump_json(), *(r.stdout + r.stderr for r in shown)):
        assert not LEAK.search(text), text


# Each makes an error in, or right beside, a secret.
SPOILED = [
    (f'"{SECRET}-token"', f'"{SECRET} token"'),
    (f'"{SECRET}-token"', f'["{SECRET}-token"]'),
    (f'"{SECRET}-token"', f'"{SECRET}-\\n"'),
    ("token =", "tokn ="),
    ("password =", "pasword ="),
    ("[mqtt]\n", "[mqtt]\nsource = 1\n"),
    ("postgresql:", "mysql:"),
    ("postgresql:", "sqlite::"),
    ("https:", "ftp:"),
    ("https://hook/", "https:///"),
    ("rtsp:", "rtspx:"),
    ("/@#-camera", "\\u0007"),
    ('host = "broker"', f'host = "{SECRET}-mqtt"'),
    ('name = "door"', f'name = "{SECRET}-mqtt"'),
    ('name = "door"', f'name = "door"\nmodel = "{SECRET}-mqtt"'),
    ('name = "door"', f'name = "door"\nlinker = "{SECRET}-mqtt"'),
    ('name = "door"', f'name = "door"\nsettings.history = "{SECRET}-mqtt"'),
    ("[[camera]]", "[[camera]]\n[[camera.rule]]\nkind = 'enter'\nposition = '${SPOILED}'\n[[camera]]"),
    ("[[camera]]", "[[camera]]\nname='b'\nsource='0'\n[[camera.zone]]\nname='${SPOILED}'\npoints=[[0,0]]\n[[camera]]"),
    ("[[camera]]", "[[camera]]\nname='b'\nsource='0'\nzone='${SPOILED}'\n[[camera]]"),
    ("[[camera]]", "[[camera]]\nname='b'\nsource='0'\nmodel='${SPOILED}'\n[[camera]]"),
    ("[service]", "[service]\nport = 70000\nlog_level = '${SPOILED}'"),
    ('password = "', "password = "),
    (f"{SECRET}-hmac", f"{SECRET}-hmac\n"),
    (f"{SECRET}-hmac", "\\q" + f"{SECRET}-hmac"),
]


@pytest.mark.parametrize(("old", "new"), SPOILED)
def test_secrets_are_in_no_error(old, new, tmp_path, monkeypatch):
    monkeypatch.setenv("SPOILED", SECRET)
    assert old in SECRETS
    path = tmp_path / "c.toml"
    path.write_text(SECRETS.replace(old, new, 1))
    for more in ((), ("--json",)):
        result = run("config", "check", path, *more)
        assert result.exit_code == 2
        assert not LEAK.search(result.stdout + result.stderr), result.stderr
    with pytest.raises(ParameterError) as caught:
        load_config(path)
    error = caught.value
    while error is not None:  # nor in what a traceback would show
        assert not LEAK.search(str(error)), type(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_sections_made_in_python_tell_no_secret_either():
    with pytest.raises(ValueError, match="source") as caught:
        CameraSection(name="a", source="nix://hunter2@h/x", width=5)
    assert not LEAK.search(str(caught.value))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://h/x", "rtsp://h/..."),
        ("rtsp://h", "rtsp://h"),
        ("rtsp://u:p@h:554", "rtsp://h:554"),
        ("rtsp://u:a/b@c@h:554/x?y=1", "rtsp://h:554/..."),
        ("http://h?pw=1", "http://h/..."),
        ("http://h/x?pw=ab@cd", "http://***/..."),  # or is "h/x?pw=ab" the password?
        ("rtsp://u:12/34@h/x", "rtsp://***/..."),
        ("rtsp://u:p@h:554/x?mail=a@b", "rtsp://***/..."),
        ("rtsp://u:secret/x", "rtsp://***/..."),
        ("rtsp://[::1]:554/x", "rtsp://[::1]:554/..."),
        ("rtsp://a b/x", "rtsp://***/..."),
        ("/films/door.mp4", "/films/door.mp4"),
    ],
)
def test_addresses_are_shown_as_scheme_and_host(address, shown):
    assert shown_address(address) == shown
