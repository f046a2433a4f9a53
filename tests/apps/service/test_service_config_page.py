"""The example of a configuration, its schema, and docs/configuration.md are true, and speak of every key."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING
from pathlib import Path

import pytest
from typer.testing import CliRunner

import motionseg
from motionseg.apps import cli
from motionseg.apps.service._complaints import _tables
from motionseg.apps.service._rule_checks import _parameters
from motionseg.apps.service._toml import read_toml
from motionseg.apps.service.config import Config, config_schema, example_config, parse_config
from motionseg.core.errors import ParameterError
from motionseg.events.rules import KINDS, LastingRule, VerdictRule

DOCS = Path(motionseg.__file__).parent.parent / "docs" / "configuration.md"
CAMERA = '[[camera]]\nname = "door"\nsource = "door.mp4"\n'
RULE = "[[camera.rule]]\n"
WITH_ZONE = CAMERA + '[[camera.zone]]\nname = "yard"\npoints = [[0, 0], [1, 0], [1, 1], [0, 1]]\n'
WAYS = (
    WITH_ZONE + "[camera.settings]\nguard.ghosts = true\nhistory = 300\n" + RULE + 'kind = "enter"\nzones = "yard"\n',
    'camera = [{name = "a", source = 0, rule = [{kind = "cross"}], line = [{name = "l", points = [[0, 0], [1, 1]]}]}]',
    CAMERA + "[camera.zones]\nyard = [[0, 0], [1, 0], [1, 1]]\n[[camera.rules]]\nkind = 'enter'\n",
)


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def error_of(text, name="c.toml"):
    with pytest.raises(ParameterError) as caught:
        parse_config(text, name)
    return str(caught.value)


def test_the_example_is_valid_as_it_stands(tmp_path):
    path = tmp_path / "example.toml"
    printed = run("config", "example")
    assert printed.exit_code == 0
    path.write_text(printed.stdout)
    result = run("config", "check", path)
    assert result.exit_code == 0, result.stderr
    assert "door" in result.stdout
    assert f"note: camera hall: there is no {tmp_path}/clips/hall.mp4 yet" in result.stdout
    facts = json.loads(run("config", "check", path, "--json").stdout)
    assert [camera["name"] for camera in facts["cameras"]] == ["door", "hall"]
    assert list(facts["cameras"][0]["rules"]) == ["somebody", "cross", "linger", "light"]
    assert facts["sinks"] == [{"kind": "jsonl", "where": f"{tmp_path}/events.jsonl", "of": "all"}]


def test_all_that_the_example_leaves_out_can_be_taken_in(monkeypatch):
    text = re.sub(r"^#(?=\S)", "", example_config(), flags=re.MULTILINE)
    text = text.replace('url = "sqlite:events.db"', "", 1)
    for name in set(re.findall(r"\$\{([A-Z_]+)\}", text)) - {"NAME"}:
        monkeypatch.setenv(name, "a-long-enough-secret")
    config = parse_config(text)
    assert config.mqtt.tls
    assert config.webhook[0].phases == ("begin",)

    def keys(section):
        names = set(type(section).model_fields)
        for value in (getattr(section, name) for name in type(section).model_fields):
            items = value if isinstance(value, tuple) else (value,)
            names |= {key for item in items if hasattr(item, "model_fields_set") for key in keys(item)}
        return names

    named = set(re.findall(r"^(\w+) = ", text, flags=re.MULTILINE)) | {"settings"}
    assert keys(config) - named == {"service", "store", "recordings", "jsonl", "mqtt", "webhook", "camera"} | {
        "zone",
        "line",
        "rule",
    }


def test_the_schema_is_one_and_takes_the_example():
    jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="jsonschema_rs checks schemas")
    schema = json.loads(run("config", "schema").stdout)
    assert schema == json.loads(json.dumps(config_schema()))
    validator = jsonschema_rs.validator_for(schema)
    for text in (example_config(), CAMERA, *WAYS):
        assert [error.message for error in validator.iter_errors(read_toml(text)[0])] == []
    wrong = [CAMERA + "widht = 5", CAMERA + "width = 'a'", CAMERA + RULE + "kind='enter'\nseconds=3", "camera = []"]
    wrong += [CAMERA + RULE + "kind='linger'\nseconds=-3", CAMERA + "[service]\nport=70000", WITH_ZONE + "limit=0"]
    for text in wrong:
        assert not validator.is_valid(read_toml(text)[0]), text
    assert '"null"' not in json.dumps(schema)
    assert schema["$defs"]["ServiceSection"]["properties"]["port"]["description"]


def tables_of_the_page():
    """Heading -> rows of its tables, as dicts by the header's words."""
    tables = {}
    for part in re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, rows, header = part.split("\n", 1)[0].strip("[]"), [], None
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else None
            if cells is None:
                header = None
            elif header is None:
                header = cells
            elif set(line) - set("|- "):
                rows.append(dict(zip(header, cells, strict=True)))
        tables[heading] = rows
    return tables


SECTIONS = {name: model.model_fields for name, (_, model) in _tables(Config).items()}


def test_the_page_has_a_table_for_each_section():
    assert set(SECTIONS) <= set(tables_of_the_page())
    assert {"service", "camera.zone", "webhook"} <= set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_names_every_key_with_its_default_and_range(name):
    rows = {row["key"].strip("`"): row for row in tables_of_the_page()[name] if "type" in row}
    assert set(rows) == set(SECTIONS[name])
    for key, field in SECTIONS[name].items():
        row, default = rows[key], field.default
        if field.is_required():
            assert row["default"] == "needed", key
        elif default is None or (default == () and key in ("zone", "line", "rule")):
            assert row["default"] == "none", key
        elif name != "camera.rule":
            plain = (
                list(default) if isinstance(default, tuple) else str(default) if isinstance(default, Path) else default
            )
            assert row["default"] == f"`{json.dumps(plain)}`", key
        for limit in field.metadata:
            for word in ("ge", "gt", "le", "lt"):
                if getattr(limit, word, None) is not None:
                    number = f"{getattr(limit, word):.10g}"
                    assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d])", row["unit, range"]), (key, word)
        assert field.description, key


def test_the_page_names_every_parameter_of_every_rule():
    rows = tables_of_the_page()["camera.rule"]
    shared = {row["key"].strip("`"): row for row in rows if "of" in row and "key" in row}
    kinds = {row["kind"].strip("`"): row for row in rows if "kind" in row and "tells" in row}
    assert set(kinds) == set(KINDS)
    for kind, cls in KINDS.items():
        own = dict(re.findall(r"`(\w+)` \((needed|`[^`]*`)\)", kinds[kind]["own parameters (default)"]))
        where = "zones" if issubclass(cls, LastingRule) else "the picture" if issubclass(cls, VerdictRule) else "lines"
        assert kinds[kind]["of"] == where
        parameters = _parameters(cls)
        assert set(own) <= set(parameters), kind
        for key, field in parameters.items():
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            told = own.get(key) or shared[key]["default"]
            assert told == ("needed" if default is MISSING else f"`{json.dumps(default)}`"), (kind, key)
            if key not in own:
                assert shared[key]["of"] == "all" or where.removeprefix("the ") in shared[key]["of"], (kind, key)


def test_the_errors_on_the_page_are_what_is_told():
    text = '[service]\n\nprot = 8080\n[[camera]]\nname="a"\nsource="0"\n' + CAMERA
    assert error_of(text, "cameras.toml") in DOCS.read_text(encoding="utf-8")
    text = CAMERA + '[[camera]]\nname="b"\nsource="0"\n' + "\n" * 11
    text += '[[camera.zone]]\nname="yard"\n\npoints=[[0,0],[1,1],[1,0],[0,1]]\n\n\n\n\n'
    text += '[[camera.rule]]\nkind="enter"\nwidth=3'
    told = error_of(text, "cameras.toml").splitlines()
    page = DOCS.read_text(encoding="utf-8")
    for line in told:
        assert line.partition(": ")[2] in page, line


def test_the_configuration_on_the_page_is_one():
    first = re.search(r"The smallest one:\n\n```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert parse_config(first[1]).camera[0].loop
