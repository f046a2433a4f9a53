"""Tables, marks and plots of a report, from records made by hand."""

import json
import math

import numpy as np
import pytest

from motionseg.apps.records import format_number, tabulate
from motionseg.apps.report.charts import precision_recall, quality_against_speed
from motionseg.apps.report.page import write_report
from motionseg.apps.report.tables import read_sections
from motionseg.io import write_image, write_json


def record(method, sequence, metrics, *, category="", dataset="cdnet", task="change", error=None, fps=10.0, **more):
    facts = {"format": 1, "method": method, "dataset": dataset, "task": task, "category": category}
    facts |= {"sequence": sequence, "error": error, "problems": [], "worst": [], "fps": fps, "peak_memory_mb": 100.0}
    return {**facts, "metrics": metrics, "counts": {}, "curve": {}, **more}


def folder_of(path, *records):
    for one in records:
        write_json(path / "rows" / one["method"] / one["category"] / f"{one['sequence']}.json", one)
    return path


def cells(section, title):
    (table,) = [table for table in section.tables if table.title == title]
    return {row[0].text: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}


# --- tabulate ----------------------------------------------------------------------------------


def test_failed_sequences_are_counted_and_not_averaged():
    failed = {**record("a", "z", {"F": 0.0}), "error": "broken"}
    table = tabulate([record("a", "x", {"F": 0.4}), record("a", "y", {"F": 0.6}), failed])
    mean = table["means"]["a"]
    assert (mean["overall"]["F"], mean["sequences"], mean["failed"]) == (0.5, 2, 1)
    assert [row["error"] for row in table["rows"]] == [None, None, "broken"]


def test_a_value_that_is_not_there_is_none():
    table = tabulate([record("a", "x", {"F": 0.4, "FPR-S": None}, fps=None)])
    assert table["means"]["a"]["overall"] == {"F": 0.4, "FPR-S": None, "fps": None}
    json.dumps(table, allow_nan=False)


def test_boxes_are_summed_up_and_objects_are_averaged_over_all():
    identity = {"idtp": 8, "idfn": 2, "idfp": 2}, {"idtp": 0, "idfn": 90, "idfp": 0}
    zeros = [0.0] * 19
    hota = dict.fromkeys(("tp", "fn", "fp"), [0] * 19) | dict.fromkeys(
        ("similarity", "association", "association_recall", "association_precision"), zeros
    )
    rows = [
        record(
            "a", name, {"IDF1": 0.5}, dataset="mot", task="boxes", counts={"hota": hota, "clear": {}, "identity": one}
        )
        for name, one in zip("xy", identity, strict=True)
    ]
    assert tabulate(rows)["means"]["a"]["overall"]["IDF1"] == pytest.approx(2 * 8 / (2 * 8 + 92 + 2))
    measures = {"J-recall": 1, "J-decay": 0, "F-recall": 1, "F-decay": 0}
    objects = [{"J": j, "F": f, **measures} for j, f in ((1.0, 0.8), (0.0, 0.0), (0.2, 0.4))]
    parts = (objects[:1], objects[1:])
    rows = [record("a", n, {"J&F": 0.9}, dataset="davis2017", task="objects", counts={"objects": part})
            for n, part in zip("xy", parts, strict=True)]  # fmt: skip
    overall = tabulate(rows)["means"]["a"]["overall"]
    assert (overall["J"], overall["F"], overall["J&F"]) == pytest.approx((0.4, 0.4, 0.4))


def test_numbers_as_a_table_shows_them():
    shown = [("F", 0.70849), ("F", None), ("fps", 42.694), ("fps", 1374.2), ("IDSW", 2.0), ("PWC", 12.0449)]
    assert [format_number(*one) for one in shown] == ["0.708", "-", "42.7", "1374", "2", "12.045"]


# --- tables ------------------------------------------------------------------------------------


def test_the_best_is_marked_by_what_is_better(tmp_path):
    good, bad = {"F": 0.9, "PWC": 1.0, "Re": 0.5}, {"F": 0.4, "PWC": 8.0, "Re": 0.5}
    folder = folder_of(tmp_path, record("bad", "x", bad, fps=90.0), record("good", "x", good))
    (section,) = read_sections([folder])
    table = cells(section, "All sequences")
    assert list(table) == ["good", "bad"], "the best method stands first"
    marks = {name: [table[m][name].mark for m in ("good", "bad")] for name in ("F", "PWC", "Re", "frames/s", "rank")}
    assert marks == {
        "F": ["best", ""],
        "PWC": ["best", ""],
        "Re": ["", ""],
        "frames/s": ["", "best"],
        "rank": ["best", ""],
    }


def test_every_category_has_a_table_with_ranks(tmp_path):
    rows = [
        record(method, f"{category}_1", {"F": value}, category=category)
        for category, values in (("night", (0.2, 0.6)), ("day", (0.9, 0.8)))
        for method, value in zip("ab", values, strict=True)
    ]
    (section,) = read_sections([folder_of(tmp_path, *rows)])
    by_category = cells(section, "F by category")
    assert {m: {c: cell.text for c, cell in row.items()} for m, row in by_category.items()} == {
        "a": {"day": "0.900", "night": "0.200"},
        "b": {"day": "0.800", "night": "0.600"},
    }
    night = cells(section, "night")
    assert float(night["b"]["rank"].text) < float(night["a"]["rank"].text)
    assert list(cells(section, "Every sequence")) == [f"{c}/{c}_1: {m}" for c in ("day", "night") for m in "ba"], (
        "sorted by the overall mean, b first"
    )


@pytest.mark.parametrize(("task", "measure", "better"), [("change", "F", 0.9), ("flow", "EPE", 0.1)])
def test_differences_know_which_way_is_up(tmp_path, task, measure, better):
    worse = 0.5
    values = [
        ("base", "x", worse),
        ("new", "x", better),
        ("base", "y", better),
        ("new", "y", worse),
        ("new", "z", worse),
    ]
    folder = folder_of(tmp_path, *(record(m, s, {measure: value}, task=task) for m, s, value in values))
    (section,) = read_sections([folder], baseline="base")
    table = cells(section, f"{measure}, difference to the baseline")
    assert {name: (row["new"].text, row["new"].mark) for name, row in table.items()} == {
        "x": (f"{better - worse:+.3f}", "better"),
        "y": (f"{worse - better:+.3f}", "worse"),
        "z": ("-", ""),
    }


def test_methods_of_one_name_in_folders_of_one_name(tmp_path):
    runs = [folder_of(tmp_path / name / "run", record("a", "x", {"F": 0.5})) for name in ("one", "two")]
    (section,) = read_sections(runs)
    assert sorted(section.methods) == sorted(f"a ({run})" for run in runs)


# --- the page ----------------------------------------------------------------------------------


def test_the_worst_frames_come_first_and_failures_are_named(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    worst = []
    for index, cost in ((3, 1.0), (5, 9.0), (7, 4.0)):
        write_image(tmp_path / f"worst/{index}.jpg", picture)
        worst.append({"index": index, "cost": cost, "picture": f"worst/{index}.jpg"})
    good = record("a", "x", {"F": 0.5}, worst=worst, problems=["gt3.png: cut short"])
    folder = folder_of(tmp_path, good, record("a", "y", {}, error="no <frame> could be judged"))
    page = write_report([folder], tmp_path)[0].read_text()
    assert page.index("x, frame 5: 9.0 % of the pixels are wrong") < page.index("x, frame 7: 4.0 %")
    assert "frame 3" not in page, "at most two of a sequence"
    assert "x: gt3.png: cut short" in page
    assert "a failed on y: no &lt;frame&gt; could be judged" in page


def test_plots_need_something_to_plot(tmp_path):
    curve = {"recall": [0.0, 0.5], "precision": [1.0, 0.5]}
    (lone,) = read_sections([folder_of(tmp_path / "1", record("a", "x", {"F": 0.5}, curve=curve))])
    assert quality_against_speed(lone) is None
    assert "<svg" in precision_recall(lone)
    (two,) = read_sections([folder_of(tmp_path / "2", *(record(m, "x", {"F": 0.5}) for m in ("a", "b")))])
    assert "<svg" in quality_against_speed(two)
    assert precision_recall(two) is None


def test_precision_is_0_beyond_the_highest_recall():
    from motionseg.apps.report.charts import _mean_curve

    curve = {"recall": [0.5, 0.0], "precision": [0.6, 1.0]}  # in any order
    line = _mean_curve([{"curve": curve}, {"curve": {}}, {}], np.linspace(0, 1, 5))
    assert line.tolist() == pytest.approx([1.0, 0.8, 0.6, 0.0, 0.0])
    assert not math.isnan(line.sum())
