"""Model cards: what they say follows from the evidence, in Markdown and in HTML alike."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from include.declare import UseCase
from include.training import card
from include.training.ledger import Entry, Event
from include.training.model import Facts
from include.training.model_card import markdown, page
from include.training.model_card.document import Figure
from include.training.model_card.subject import Subject
from tests import model_nights
from tests.model_nights import CASE

VOID = {"meta"}
NASTY = '<script>alert("1")</script> & "so" | *x* _y_ [a](b) `c` $d$ 1. e'


def _estimate(value: float, half: float) -> dict[str, float]:
    return {"value": value, "lower": value - half, "upper": value + half}


def _slice(value: str, auc: float, **more: Any) -> dict[str, Any]:
    known = {"column": "origin", "value": value, "rows": 900, "positives": 200}
    metrics = {"auc": _estimate(auc, 0.02), "brier": _estimate(0.16, 0.01)}
    return {**known, "protected": False, "judged": True, "metrics": metrics, **more}


def _bin(predicted: float, observed: float, rows: int = 100) -> dict[str, float]:
    ends = {"low": predicted - 0.05, "high": predicted + 0.05, "rows": rows}
    told = {"predicted": predicted, "observed": observed}
    return {**ends, **told, "lower": observed - 0.03, "upper": observed + 0.03}


EVIDENCE: dict[str, Any] = {
    "task": "binary",
    "metric": "auc",
    "model": {
        "metrics": {"auc": _estimate(0.65, 0.02), "ece": _estimate(0.02, 0.01)},
        "rows": 2700,
        "days": 28,
    },
    "baselines": {
        "constant_rate": {"metrics": {"auc": _estimate(0.5, 0)}, "rows": 2700, "days": 28},
        "schedule_only": {"metrics": {"auc": _estimate(0.63, 0.02)}, "rows": 2700, "days": 28},
    },
    "history_gain": {"value": 0.02, "lower": 0.01, "upper": 0.03},
    "slices": [_slice("EWR", 0.65), _slice("JFK", 0.66)],
    "fairness": [],
    "calibration": [_bin(0.1, 0.11), _bin(0.2, 0.21), _bin(0.3, 0.29), _bin(0.4, 0.41)],
    "reasons": {"rows": 1000, "rank_agreement": 0.95, "same_strongest": 0.9},
    "costs": {"false_alarm": 1, "miss": 3, "threshold": 0.25},
    "tuning": {
        "trials": [
            {"number": 0, "parameters": {}, "value": 0.52, "state": "complete"},
            {"number": 1, "parameters": {"max_depth": 4}, "value": 0.51, "state": "complete"},
            {"number": 2, "parameters": {"max_depth": 8}, "value": None, "state": "pruned"},
        ],
        "best": 1,
        "budget": 3,
        "reproducible": True,
        "ended": "all 3 trials were made",
    },
    "parameters": {"max_depth": 4, "learning_rate": 0.05},
    "rounds": 120,
    "rows": {"train": 20000, "validation": 2500, "test": 2700},
    "label_means": {"train": 0.24, "validation": 0.23, "test": 0.25},
    "rows_without_label": 0,
    "missing_days": [],
    "landed_days": [["2012-01-01", "2013-04-20"]],
    "spans": {"train": ["2012-01-01", "2013-02-15"], "test": ["2013-03-20", "2013-04-18"]},
    "frame_sha256": "f" * 64,
    "lake_versions": {"nyc_flights/flights": 3},
    "features": 20,
    "threshold": 0.25,
    "reference_id": "r" * 64,
    "xgboost": "3.2.0",
    "seed": 7,
    "threads": 2,
}
FACTS = Facts(
    use_case=CASE.name,
    feature_service=CASE.feature_service,
    label="late",
    as_of="2013-04-20",
    seen_through="2013-03-17",
    features=tuple(f"f_{place}" for place in range(20)),
    categories={},
    threshold=0.25,
    words={f"f_{place}": f"feature number {place}" for place in range(20)},
    importance={f"f_{place}": place / 190 for place in range(20)},
    reference_id="r" * 64,
    spans={
        "train": ("2012-01-01", "2013-02-15"),
        "validation": ("2013-02-18", "2013-03-17"),
        "test": ("2013-03-20", "2013-04-18"),
    },
)
QUANTILES = replace(FACTS, task="regression", threshold=None, quantiles=(0.1, 0.9))


def _entry(event: Event, version: str = "3", day: int = 1, **more: Any) -> Entry:
    known: dict[str, Any] = {
        "entry": day,
        "use_case": CASE.name,
        "model_version": version,
        "sha256": "a" * 64,
        "event": event,
        "actor": "ann",
        "reason": f"because of {event}",
        "evidence": {},
        "artifact_uri": "file:///models/3",
        "as_of": date(2013, 4, 20),
        "at": datetime(2013, 5, day, 7, 30, tzinfo=UTC),
    }
    return Entry(**{**known, **more})


def _subject(
    evidence: dict[str, Any] | None = None,
    story: tuple[Entry, ...] = (),
    case: UseCase = CASE,
    facts: Facts = FACTS,
) -> Subject:
    found = EVIDENCE if evidence is None else evidence
    return Subject(case, facts, _entry("registered", evidence=found), story)


def _changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(EVIDENCE), **changes}


def _text(subject: Subject) -> str:
    return markdown.write(card.compose(subject))


def _section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _limits(evidence: dict[str, Any], **more: Any) -> str:
    return _section(_text(_subject(evidence, **more)), "Limits")


class Reader(HTMLParser):
    """Reads a page strictly: elements close in order; collects texts of leaves and attributes."""

    LEAVES = frozenset({"h1", "h2", "p", "li", "dt", "dd", "th", "td", "caption", "figcaption"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.leaves: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag in self.LEAVES:
            self.leaves.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.LEAVES & set(self.open) and "svg" not in self.open:
            tag, text = self.leaves[-1]
            self.leaves[-1] = (tag, text + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def texts(self, *tags: str) -> list[str]:
        return [" ".join(text.split()) for tag, text in self.leaves if tag in tags]


def _read_markdown(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


STORY = (
    _entry("registered", evidence=EVIDENCE),
    _entry(
        "promoted",
        day=2,
        evidence={
            "champion": "2",
            "metric": "auc",
            "difference": {"value": 0.0123, "lower": 0.0021, "upper": 0.0224},
            "rows": 1843,
            "days": 14,
            "guardrails": [
                {"name": "labels", "passed": True, "words": "1,843 labels"},
                {"name": "calibration", "passed": False, "words": "0.2 is too much"},
            ],
        },
    ),
)


@pytest.fixture(scope="module")
def made() -> card.Card:
    return card.render(CASE, FACTS, STORY[0], STORY)


def test_the_same_inputs_give_the_same_bytes_whatever_matplotlib_is_set_to(made: card.Card) -> None:
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        again = card.render(CASE, FACTS, STORY[0], STORY)
        assert matplotlib.rcParams["font.size"] == 30
    assert again.files() == made.files()


def test_the_files_are_written(made: card.Card, tmp_path: Path) -> None:
    card.write(tmp_path / "card", made)
    written = {path.name: path.read_bytes() for path in (tmp_path / "card").iterdir()}
    assert written == made.files()
    plots = {"calibration.svg", "importance.svg", "slices.svg", "performance.svg"}
    assert set(written) == {"card.md", "card.html", *plots}


def test_every_plot_is_a_picture_that_the_markdown_links_to(made: card.Card) -> None:
    for name, content in made.plots.items():
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
        assert f"]({name})" in made.markdown


def test_the_page_stands_alone(made: card.Card) -> None:
    read = Reader(made.html)
    tags = {tag for tag, _ in read.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "form"}
    for tag, attributes in read.found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"href", "xlink:href", "src", "action"}:
                assert value is not None and value.startswith("#"), (tag, name, value)
    assert "@import" not in made.html and "url(http" not in made.html
    assert "default-src 'none'" in made.html.replace("&#x27;", "'")


def test_the_page_can_be_read_by_keyboard_and_screen_reader(made: card.Card) -> None:
    read = Reader(made.html)
    assert read.all("html") == [{"lang": "en"}]
    assert len(read.all("h1")) == 1
    names = [attributes["id"] for _, attributes in read.found if "id" in attributes]
    assert len(names) == len(set(names))
    for link in read.all("a"):
        assert str(link["href"])[1:] in names
    for section in read.all("section"):
        assert section["aria-labelledby"] in names
    assert len(read.all("table")) == len(read.all("caption")) == len(read.texts("caption"))
    assert all(head.get("scope") in {"col", "row"} for head in read.all("th"))
    assert all(it["role"] == "img" and it["aria-label"] for it in read.all("svg"))
    assert len(read.all("svg")) == len(made.plots)
    for svg in read.found:
        for value in svg[1].values():
            if value and value.startswith(("url(#", "#")):
                assert value.removeprefix("url(").strip("#)") in names


def test_the_page_has_its_own_colours_for_dark_screens_and_paper(made: card.Card) -> None:
    assert "prefers-color-scheme: dark" in made.html and "@media print" in made.html
    drawn = made.html[made.html.index("</style>") :]
    assert "#22639c" not in drawn and "var(--accent)" in drawn
    assert b"#22639c" in made.plots["importance.svg"]


def test_markdown_and_page_say_the_same(made: card.Card) -> None:
    ours, theirs = Reader(_read_markdown(made.markdown)), Reader(made.html)
    assert len(ours.texts("h1", "h2")) == 11 and len(ours.texts("td")) > 50
    assert ours.texts("h1", "h2") == theirs.texts("h1", "h2")
    assert ours.texts("th", "td") == theirs.texts("th", "td")
    told = set(ours.texts("p"))
    for text in [*theirs.texts("caption", "figcaption"), *theirs.texts("p")[1:]]:
        assert text in told, text


def test_what_people_wrote_is_shown_and_never_run() -> None:
    case = replace(CASE, description=NASTY, owner=NASTY)
    facts = replace(FACTS, words={"f_19": NASTY}, label=NASTY)
    evidence = _changed(
        slices=[_slice(NASTY, 0.6)], parameters={NASTY: NASTY}, frame_sha256=NASTY, missing_days=[]
    )
    entry = _entry("registered", version=NASTY, actor=NASTY, reason=NASTY, evidence=evidence)
    made = card.render(case, facts, entry, [entry, replace(entry, event="kept")])
    page_read, markdown_read = Reader(made.html), Reader(_read_markdown(made.markdown))
    for read in (page_read, markdown_read):
        assert not read.all("script") and not read.all("em")
        assert not [it for it in read.all("a") if not str(it.get("href")).startswith("#")]
        assert NASTY in " ".join(read.texts("td"))
        assert f"Kept out on 2013-05-01: {NASTY}" in " ".join(read.texts("p"))
    assert NASTY in page_read.texts("dd")
    for content in made.plots.values():
        assert not ET.fromstring(content).findall(".//{*}script")


@example("__0__")
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" ")))
def test_escaped_text_reads_as_it_was_written(text: str) -> None:
    line = " ".join(text.split())
    shown = Reader(_read_markdown(f"before\n\n{markdown.escape(text)}\n\nafter")).leaves
    assert [it for _, it in shown if it] == ["before", *([line] if line else []), "after"]


@given(st.text("ab1.)(][!<>*_`~|#+-=&;\\:\"' ", max_size=30))
def test_escaped_marks_read_as_they_were_written(text: str) -> None:
    line = " ".join(text.split())
    cell = f"| x |\n| --- |\n| a {markdown.escape(text)} z |"
    assert Reader(_read_markdown(cell)).texts("td") == [" ".join(f"a {line} z".split())]
    item = Reader(_read_markdown(f"- **{markdown.escape('n')}:** {markdown.escape(text)}"))
    assert item.texts("li") == [f"n: {line}".strip()]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: Any = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield (*path, key)
        yield from _paths(value[key], (*path, key))


@pytest.mark.parametrize("how", ["absent", "none", "text"])
def test_any_hole_in_the_evidence_leaves_a_card(how: str) -> None:
    whole = _changed(fairness=[{"column": "origin", "disparate_impact": 0.9, "groups": 2}])
    for path in _paths(whole):
        evidence = copy.deepcopy(whole)
        place: Any = evidence
        for key in path[:-1]:
            place = place[key]
        if how == "absent":
            del place[path[-1]]
        else:
            place[path[-1]] = None if how == "none" else "odd"
        subject = _subject(evidence, STORY)
        document = card.compose(subject)
        plots = {it.name: b"<svg></svg>" for it in document.figures}
        assert markdown.write(document).startswith("# flight_delay, version 3\n"), path
        assert page.write(document, plots), path


def test_an_old_entry_says_what_was_not_recorded() -> None:
    made = card.render(CASE, FACTS, _entry("registered"), ())
    assert set(made.plots) == {"importance.svg"}
    for words in (
        "What it is worth is not recorded.",
        "Metrics are not recorded.",
        "Reliability bins are not recorded.",
        "Slices are not recorded.",
        "Whether parameters were searched for is not recorded.",
        "How well the two agree is not recorded.",
        "The ledger's story is not recorded.",
        "What wrong decisions cost is not recorded; the threshold 0.25",
        "Not recorded when it was registered: model, baselines, slices",
    ):
        assert words in made.markdown


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((0.02, 0.01, 0.03), "History clearly beats the schedule alone"),
        ((0.01, -0.01, 0.03), "History does not clearly beat the schedule alone"),
        ((0.01, 0.0, 0.03), "History does not clearly beat the schedule alone"),
        ((-0.02, -0.03, -0.01), "History makes the model worse than the schedule alone"),
    ],
)
def test_what_history_is_worth_is_said_in_words(
    gain: tuple[float, float, float], words: str
) -> None:
    evidence = _changed(history_gain=dict(zip(("value", "lower", "upper"), gain, strict=True)))
    text = _text(_subject(evidence))
    assert words in text.split("## ")[0] and words in _section(text, "What it is worth")
    assert (words in _section(text, "Limits")) == (gain[1] <= 0)


@pytest.mark.parametrize(
    ("auc", "words"),
    [
        (_estimate(0.65, 0.02), "clearly beats saying “always the average rate” (AUC 0.6500"),
        (_estimate(0.51, 0.02), "is better than saying “always the average rate”"),
        (_estimate(0.49, 0.02), "does not beat saying “always the average rate”"),
    ],
)
def test_the_constant_baseline_is_beaten_or_not(auc: dict[str, float], words: str) -> None:
    model = {**EVIDENCE["model"], "metrics": {"auc": auc}}
    assert words in _text(_subject(_changed(model=model)))


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((2.5, 1.0, 4.0), "The model clearly beats last week's mean (AUC +2.5000 [+1.0000, +4.0"),
        ((0.5, -1.0, 2.0), "The model does not clearly beat last week's mean (AUC +0.5000"),
        ((-2.0, -3.0, -1.0), "The model is worse than last week's mean (AUC -2.0000"),
        (None, "Whether the model beats last week's mean is not recorded."),
    ],
)
def test_the_declared_baseline_is_beaten_or_not(
    gain: tuple[float, float, float] | None, words: str
) -> None:
    told = gain and dict(zip(("value", "lower", "upper"), gain, strict=True))
    declared = {"name": "last_week", "meaning": "last week's mean", "gain": told, "silent": 12}
    evidence = _changed(declared_baseline=declared)
    evidence["baselines"]["last_week"] = {"metrics": {"auc": _estimate(0.6, 0.02)}}
    text = _text(_subject(evidence))
    section = _section(text, "What it is worth")
    assert words in text.split("## ")[0] and words in section
    assert (words in _section(text, "Limits")) == (gain is not None and gain[1] <= 0)
    assert "| Last week |" in section and "0.6000 [0.5800, 0.6200]" in section
    assert "Of 12 rows the declared baseline says nothing" in section
    assert "than saying “last week”" not in section


def test_errors_are_better_when_lower() -> None:
    model = {"metrics": {"mae": _estimate(17, 0.5)}, "rows": 2700, "days": 28}
    baselines = {"constant_median": {"metrics": {"mae": _estimate(19, 0.5)}}}
    evidence = _changed(task="regression", metric="mae", model=model, baselines=baselines)
    text = _section(_text(_subject(evidence, facts=QUANTILES)), "What it is worth")
    assert "clearly beats saying “always the median” (MAE 17.00 against 19.00)" in text
    assert "| Mean absolute error (decides) | lower | 17.00 [16.50, 17.50] | 19.00" in text


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ({"false_alarm": 1, "miss": 3}, "A miss costs 3 times a false alarm, hence the threshold"),
        ({"false_alarm": 5, "miss": 2}, "A false alarm costs 2.5 times a miss, hence"),
        ({"false_alarm": 2, "miss": 2}, "A miss and a false alarm cost the same, hence"),
    ],
)
def test_costs_are_said_in_words(costs: dict[str, float], words: str) -> None:
    purpose = _section(_text(_subject(_changed(costs=costs))), "Purpose")
    assert words in purpose and "the threshold 0.25: from that probability on" in purpose


def test_calibration_says_by_how_much_it_is_off_over_all_rows() -> None:
    found = [_bin(0.1, 0.05, 300), _bin(0.3, 0.2, 100), _bin(0.4, 0.41, 100)]
    rows = np.array([300, 100, 100])
    predicted = np.average([0.1, 0.3, 0.4], weights=rows)
    observed = np.average([0.05, 0.2, 0.41], weights=rows)
    evidence = _changed(calibration=found)
    text = _section(_text(_subject(evidence)), "Calibration")
    told = f"over-predicts by {100 * (predicted - observed):.1f} percentage points"
    assert told in text and told in _limits(evidence)
    assert f"{100 * predicted:.1f} % was predicted and {100 * observed:.1f} % happened" in text
    assert text.count("no: too high") == 2 and text.count("| yes |") == 1
    assert "In 2 of 3 bins the predicted rate lies outside" in _limits(evidence)
    under = _changed(calibration=[_bin(0.1, 0.2)])
    assert "under-predicts by 10.0 percentage points" in _limits(under)
    assert "no: too low" in _text(_subject(under))
    assert "the right rate" in _text(_subject(_changed(calibration=[_bin(0.1, 0.1)])))


def test_the_calibration_chart_shows_every_bin() -> None:
    blocks = card.compose(_subject()).figures
    chart: Any = next(it.chart for it in blocks if it.name == "calibration.svg")
    assert chart.predicted == (0.1, 0.2, 0.3, 0.4)
    assert [it.value for it in chart.observed] == [0.11, 0.21, 0.29, 0.41]
    assert chart.threshold == 0.25


def test_small_groups_are_listed_and_not_judged() -> None:
    small = _slice("LGA", 0.3, rows=12, positives=2, judged=False)
    empty = _slice("missing", 0.0, rows=1, positives=0, judged=False, metrics={})
    evidence = _changed(slices=[_slice("EWR", 0.65), small, empty])
    text = _section(_text(_subject(evidence)), "Slices and fairness")
    assert "3 groups, 1 of them judged. 2 groups with too few rows" in text
    assert "| origin LGA | 12 | 2 | not judged | 0.3000 [0.2800, 0.3200] |" in text
    assert "| origin missing | 1 | 0 | not judged | – | – |" in text
    limits = _limits(evidence)
    assert "Too small to judge: origin LGA, origin missing." in limits
    assert "On origin" not in limits
    figures = card.compose(_subject(evidence)).figures
    chart: Any = next(it.chart for it in figures if it.name == "slices.svg")
    assert [(it.label, it.judged) for it in chart.points] == [
        ("origin EWR", True),
        ("origin LGA (not judged)", False),
    ]


def test_fairness_is_told_beside_its_bounds() -> None:
    fairness = {
        "column": "origin",
        "disparate_impact": 0.71,
        "lowest": "EWR",
        "highest": "JFK",
        "equal_opportunity": 0.12,
        "least_found": "EWR",
        "most_found": "JFK",
        "groups": 2,
    }
    evidence = _changed(fairness=[fairness], slices=[_slice("EWR", 0.65, protected=True)])
    text = _section(_text(_subject(evidence)), "Slices and fairness")
    assert "| origin | 2 | 0.710 (EWR over JFK) | 0.120 (EWR found least, JFK most) |" in text
    assert "disparate impact of at least 0.8" in text and "origin EWR (protected)" in text
    assert "disparate impact 0.710" in _limits(evidence)
    assert "a gap of 0.120" in _limits(evidence)
    assert "no slice is declared protected" in _text(_subject())


def test_the_first_features_are_named_and_the_others_counted() -> None:
    text = _section(_text(_subject()), "Features by importance")
    shares = sorted((place / 190 for place in range(20)), reverse=True)
    assert f"| feature number 19 | {100 * shares[0]:.1f} % | `f_19` |" in text
    assert "`f_5`" in text and "`f_4`" not in text
    rest = f"{100 * sum(shares[15:]):.1f} %"
    assert f"And 5 more, together {rest}; 1 of them are never used." in text


WARNINGS: list[tuple[str, dict[str, Any]]] = [
    (
        "AUC is known roughly only: 0.6500 [0.5500, 0.7500]",
        {"model": {"metrics": {"auc": _estimate(0.65, 0.1)}, "rows": 2700, "days": 28}},
    ),
    (
        "The calibration error 0.3000 [0.2900, 0.3100] is above the 0.1",
        {"model": {"metrics": {"ece": _estimate(0.3, 0.01)}, "rows": 2700, "days": 28}},
    ),
    (
        "Only 120 out-of-time labels; 300 are wanted",
        {"model": {**EVIDENCE["model"], "rows": 120}},
    ),
    (
        "On origin LGA AUC is 0.5500 [0.5300, 0.5700], clearly worse than the 0.6500 of all",
        {"slices": [_slice("LGA", 0.55)]},
    ),
    (
        "398 rows have no label and are in no number here. What has one: 1 if the flight arrived",
        {"rows_without_label": 398},
    ),
    (
        "rate of positives moved from 24.0 % in training to 17.0 % out of time",
        {"label_means": {"train": 0.24, "test": 0.17}},
    ),
    ("2 data days of the history had no features", {"missing_days": ["2013-01-03", "2013-01-04"]}),
    (
        "The search is not reproducible: the limit of 5 minutes ended it",
        {
            "tuning": {
                **EVIDENCE["tuning"],
                "reproducible": False,
                "ended": "the limit of 5 minutes ended it",
            }
        },
    ),
    (
        "rank correlation is 0.700, the strongest is the same on 60.0 % of rows",
        {"reasons": {"rows": 1000, "rank_agreement": 0.7, "same_strongest": 0.6}},
    ),
]


@pytest.mark.parametrize(("words", "changes"), WARNINGS, ids=[it[0][:30] for it in WARNINGS])
def test_a_limit_is_told_when_the_evidence_gives_rise_to_it(
    words: str, changes: dict[str, Any]
) -> None:
    assert words not in _limits(EVIDENCE)
    assert words in _limits(_changed(**changes))


def test_good_evidence_still_says_when_it_was_measured_and_nothing_else() -> None:
    assert _limits(EVIDENCE).strip().splitlines() == [
        "- The numbers are from 2,700 out-of-time rows of 28 days, 2013-03-20 to 2013-04-18; "
        "what changed since is not in them."
    ]


def test_less_than_a_year_of_training_is_a_limit() -> None:
    facts = replace(FACTS, spans={"train": ("2013-01-01", "2013-01-31")})
    assert "fitted on 31 target dates, 2013-01-01 to 2013-01-31" in _limits(EVIDENCE, facts=facts)


def test_the_search_is_told_best_first() -> None:
    text = _section(_text(_subject()), "How it was tuned")
    assert "3 of 3 trials" in text and "trial 1 was best" in text
    assert "Mean loss 0.51000, against 0.52000 of the declared parameters" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert rows == [
        "| 1 – best | 0.51000 | complete | max_depth=4 |",
        "| 0 (declared) | 0.52000 | complete | as declared |",
        "| 2 | – | pruned | max_depth=8 |",
    ]
    assert "learning_rate=0.05, max_depth=4" in text
    assert "No search was declared" in _text(_subject(_changed(tuning=None)))


def test_data_and_versions_are_told() -> None:
    text = _section(_text(_subject(_changed(rows_without_label=1000))), "Data and versions")
    for words in (
        "| train | 2012-01-01 | 2013-02-15 | 20,000 | 24.0 % |",
        f"1,000, {100 * 1000 / 26200:.1f} % of those due",
        "2012-01-01 to 2013-04-20",
        "nyc_flights/flights: 3",
        f"`{'f' * 64}`",
        "**XGBoost:** 3.2.0",
        "**Seed:** 7",
        "**Threads:** 2",
    ):
        assert words in text


def _story(*events: tuple[Event, str], **evidence: Any) -> tuple[Entry, ...]:
    return tuple(
        _entry(event, version, day, evidence=evidence if version != "3" else {})
        for day, (event, version) in enumerate(events, start=1)
    )


@pytest.mark.parametrize(
    ("story", "state", "words"),
    [
        (_story(("registered", "3")), "waiting", "Registered; the gate has not judged it"),
        (_story(("registered", "3"), ("proposed", "3")), "waiting", "Waits for a person's appr"),
        (_story(("registered", "3"), ("shadowed", "3")), "waiting", "Scores in shadow beside"),
        (
            _story(("registered", "3"), ("kept", "3")),
            "out",
            "Kept out on 2013-05-02: because of kept",
        ),
        (
            _story(("registered", "3"), ("refused", "3")),
            "out",
            "Refused on 2013-05-02: because of refused",
        ),
        (
            _story(("registered", "3"), ("promoted", "3")),
            "champion",
            "Champion since 2013-05-02, promoted by ann",
        ),
        (
            _story(("promoted", "3"), ("promoted", "4")),
            "former",
            "Was champion until 2013-05-02, when version 4 replaced it",
        ),
        (
            _story(("promoted", "3"), ("rolled_back", "2")),
            "former",
            "Withdrawn on 2013-05-02: rolled back to version 2 by ann: because of rolled_back",
        ),
        (
            _story(("promoted", "3"), ("promoted", "4"), ("rolled_back", "3")),
            "champion",
            "Champion since 2013-05-03, rolled back to by ann",
        ),
        (
            _story(("promoted", "3"), ("promoted", "4"), refit_of="3"),
            "champion",
            "Champion since 2013-05-02 through its refit, version 4",
        ),
        (
            (
                *_story(("promoted", "3"), ("promoted", "4"), refit_of="3"),
                _entry("promoted", "5", 3, evidence={"champion": "4"}),
            ),
            "former",
            "Was champion until 2013-05-03, when version 5 replaced it",
        ),
        (
            _story(("promoted", "2"), ("registered", "3"), ("kept", "3")),
            "out",
            "Kept out on 2013-05-03",
        ),
    ],
)
def test_the_title_says_where_the_version_stands(
    story: tuple[Entry, ...], state: str, words: str
) -> None:
    document = card.compose(_subject(story=story))
    assert document.state == state
    assert document.verdict.startswith(words)


def test_a_refit_says_that_another_version_was_measured() -> None:
    own = {"rows": {"train": 25000}, "label_means": {"train": 0.231}}
    entry = _entry("registered", "4", evidence=_changed(refit_of="3", **own))
    facts = replace(FACTS, spans={"train": ("2012-01-01", "2013-04-18")})
    text = _text(Subject(CASE, facts, entry, (entry,)))
    assert "Measured on version 3. This version is that model fitted again" in text
    assert "| Metric | Better | Version 3 |" in text
    assert "The metrics are those of version 3." in _section(text, "Limits")
    assert "| train | 2012-01-01 | 2013-04-18 | 25,000 | 23.1 % |" in text


def test_the_ledger_s_story_is_told_with_numbers_and_guardrails() -> None:
    kept = _entry("kept", day=3, evidence={"champion": "2", "rows": 50, "days": 2})
    back = _entry("rolled_back", "2", day=4, evidence={"champion": "3"})
    refit = replace(STORY[1], model_version="4", entry=9)
    text = _section(_text(_subject(story=(*STORY, refit, kept, back))), "Promotion evidence")
    assert "| 2013-05-02 07:30 UTC | 3 | promoted | ann | AUC better by +0.0123" in text
    assert "than version 2, on 1,843 rows of 14 days, 1 guardrail broken | because of" in text
    assert "| kept out | ann | beside version 2, 50 rows of 2 days |" in text
    assert "| 2 | rolled back to | ann | in place of version 3 |" in text
    assert text.count("Guardrails when version") == 1
    assert "| calibration | no: broken | 0.2 is too much |" in text


def _coverage(value: float) -> str:
    metrics = {"mae": _estimate(17, 0.5), "coverage": _estimate(value, 0.02)}
    model = {"metrics": {**metrics, "pinball_0.1": _estimate(2, 0.1)}, "rows": 2700, "days": 28}
    evidence = _changed(task="regression", metric="mae", model=model, costs=None, calibration=[])
    return _text(_subject(evidence, facts=QUANTILES))


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.7, "too narrow"), (0.79, "within chance"), (0.9, "too wide")],
)
def test_a_regression_tells_coverage_and_no_threshold(value: float, words: str) -> None:
    text = _coverage(value)
    assert f"{100 * value:.1f} % of outcomes lie between the 0.1 and 0.9 quantile" in text
    assert "80 % should" in text and words in _section(text, "Prediction intervals")
    assert "Pinball loss of the 0.1 quantile" in text
    assert "## Calibration" not in text and "threshold" not in text
    assert "the prediction is an amount" in text


def test_a_real_model_has_a_whole_card() -> None:
    fitted = model_nights.fitted()
    entry = _entry("registered", evidence={**fitted.evidence, "code_revision": "abc"})
    made = card.render(CASE, fitted.model.facts, entry, (entry,))
    assert set(made.plots) == {
        "calibration.svg",
        "importance.svg",
        "slices.svg",
        "performance.svg",
    }
    Reader(made.html)
    auc = fitted.evidence["model"]["metrics"]["auc"]
    assert f"{auc['value']:.4f} [{auc['lower']:.4f}, {auc['upper']:.4f}]" in made.markdown
    for name in ("metrics", "Reliability bins", "Slices"):
        assert f"{name} are not recorded" not in made.markdown
    unsaid = [line for line in made.markdown.splitlines() if "not recorded" in line]
    assert unsaid == []


def test_figures_have_words_for_those_who_do_not_see_them() -> None:
    figures: list[Figure] = list(card.compose(_subject()).figures)
    told = {it.name: it.alt for it in figures}
    assert "this version 0.6500; always the average rate 0.5000" in told["performance.svg"]
    assert "first is feature number 19, 10.0 %" in told["importance.svg"]
    assert "of 4 bins" in told["calibration.svg"]
