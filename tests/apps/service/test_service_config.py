"""A configuration is what it says, or an error says where it is wrong; secrets are nowhere; the page on it is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from wrong_configs import CAMERA, SQUARE, WITH_ZONE, WRONG

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
