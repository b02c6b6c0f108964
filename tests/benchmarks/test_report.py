"""Tables and charts, from made-up measurements."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks import functions, report
from benchmarks.compare import Timing
from benchmarks.contenders import CONTENDERS
from benchmarks.instructions import GOALS
from benchmarks.plots import Group, bar_chart
from benchmarks.rows import CLAIMS, Row, main_rows
from benchmarks.spread import Spread, ratios, spread
from benchmarks.tables import Table

SVG = "{http://www.w3.org/2000/svg}"
TIMES = dict(zip(CONTENDERS, (Spread(5, 4, 6), Spread(10, 9, 12), Spread(40, 39, 44)), strict=True))
SPEEDUPS = dict(zip(CONTENDERS, (Spread(8, 7, 9), Spread(4, 3, 5), Spread(1, 1, 1)), strict=True))


def timing(row: Row) -> Timing:
    return Timing(row, TIMES, SPEEDUPS, [], equal=True)


def test_the_spread_is_the_middle_eighty_of_a_hundred() -> None:
    assert spread(range(101)) == Spread(50, 10, 90)
    assert spread([3]) == Spread(3, 3, 3)


def test_ratios_are_taken_pair_by_pair() -> None:
    assert ratios([10, 200], [5, 100]) == Spread(2, 2, 2)


def test_a_table_is_aligned_as_text_and_fenced_as_markdown() -> None:
    table = Table(
        "Speed", ["row", "a", "b"], [["first", "1", "22"], ["2nd", "333", "-"]], ["Note."]
    )
    assert table.text().splitlines() == [
        "Speed",
        "",
        "row      a   b",
        "-----  ---  --",
        "first    1  22",
        "2nd    333   -",
        "",
        "Note.",
    ]
    assert table.markdown().splitlines() == [
        "**Speed**",
        "",
        "| row | a | b |",
        "| --- | ---: | ---: |",
        "| first | 1 | 22 |",
        "| 2nd | 333 | - |",
        "",
        "Note.",
    ]


def test_the_main_table_has_a_line_for_each_claim() -> None:
    table = report.claims_table([timing(row) for row in main_rows()])
    assert [row[0] for row in table.rows] == [claim.heading for claim in CLAIMS]
    assert table.rows[1] == [CLAIMS[1].heading, "8.0x / 8.0x / 8.0x", "4.0x / 4.0x / 4.0x",
                             "6.8 / 6 / 16", "no"]  # fmt: skip
    assert table.rows[-1][-2:] == ["3.6 / 1.8 / 1.3", "yes"]
    assert "4.00 (3.00-5.00)" in table.notes[-1]


def test_a_claim_whose_rows_were_not_measured_is_left_out() -> None:
    table = report.claims_table([timing(Row("ALB", app="FastAPI"))])
    assert table.rows == [[CLAIMS[4].heading, "- / 8.0x", "- / 4.0x", "1.4 / 2", "-"]]


def test_a_contender_that_is_missing_leaves_a_dash() -> None:
    alone = Timing(Row(), {"pure": Spread(5, 4, 6)}, {}, ["0.22.0: KeyError"], equal=True)
    table = report.times_table([alone], "Rows")
    assert table.rows == [[Row().name, "-", "5.0 (4.0-6.0)", "-", "-", "-"]]
    assert table.notes == [f"{Row().name}: 0.22.0: KeyError"]


def test_a_half_that_is_slower_by_more_than_the_spread_is_named() -> None:
    speedups = {"compiled": Spread(0.9, 0.8, 1.1), "pure": Spread(0.5, 0.4, 0.6)}
    table = report.times_table([Timing(Row(), TIMES, speedups, [], equal=True)], "Rows")
    line = f"{Row().name}: pure is slower than 0.22.0, 0.50 (0.40-0.60) times its speed"
    assert table.notes == [line]


def test_instructions_are_held_against_their_goal() -> None:
    counts = {"compiled": dict.fromkeys(GOALS, 60_000), "0.22.0": dict.fromkeys(GOALS, 261_000)}
    table = report.instructions_table(counts)
    assert [row[1:] for row in table.rows[:2]] == [
        ["60,000", "-", "261,000", "57,000", "no"],
        ["60,000", "-", "261,000", "78,000", "yes"],
    ]


@pytest.mark.parametrize("ratio", [True, False])
def test_a_chart_is_well_formed_svg_with_a_bar_for_each_value(ratio: bool) -> None:
    groups = [Group(f"<{row.name} & co>", TIMES) for row in main_rows()]
    groups.append(Group("slower", {"pure": Spread(0.5, 0.25, 0.75)}))
    svg = bar_chart("A & B", "x", CONTENDERS, groups, ratios=ratio)
    root = ElementTree.fromstring(svg)
    bars = root.findall(f"{SVG}rect[@height]")
    assert root.tag == f"{SVG}svg"
    assert len(bars) == len(CONTENDERS) + len(CONTENDERS) * len(main_rows()) + 1
    assert all(float(bar.get("width", "-1")) >= 0 for bar in bars)
    assert "slower" in {text.text for text in root.iter(f"{SVG}text")}


def test_the_reports_charts_are_well_formed() -> None:
    timings = [timing(row) for row in main_rows()]
    counts = {name: dict.fromkeys(GOALS, 60_000) for name in CONTENDERS}
    for svg in (
        report.speedups_chart(timings, "Faster"),
        report.times_chart(timings, "Times"),
        report.instructions_chart(counts),
        report.times_chart([], "Nothing"),
    ):
        assert ElementTree.fromstring(svg).tag == f"{SVG}svg"


def test_functions_are_tabled_by_size() -> None:
    measured = [
        functions.FunctionTiming(
            "test_base64", f"decode {size} bytes", way, Spread(*[ns] * 3), None
        )
        for size, way, ns in [
            (65536, "binascii", 4e6),
            (65536, "pybase64", 1e6),
            (512, "binascii", 900),
            (512, "pybase64", 300),
        ]
    ]
    first_use = functions.FunctionTiming("test_base64", "", "", Spread(9, 9, 9), 3000.0)
    _, base64, _ = functions.tables([*measured, first_use])
    assert base64.rows == [
        ["decode 512 bytes", "900", "300", "3.0x"],
        ["decode 65536 bytes", "4,000,000", "1,000,000", "4.0x"],
    ]
    assert base64.notes == [
        "The first use of pybase64 in a process imports it: 3.00 ms.",
        "One body of 64 KiB to decode makes that good.",
    ]
    assert [*functions.charts(measured)] == ["base64"]
