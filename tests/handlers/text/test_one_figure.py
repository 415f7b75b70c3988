"""One figure, one value: whatever shows a mix of statuses in per cents shows the same ones."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.alerts import digest_view
from handlers.charts.values import Curve, Pair, Pie
from handlers.forecast import draws, model, past
from handlers.returns import view as returns_view
from handlers.status import compare_view
from handlers.text import formatting, mixes
from storage.records import CampaignId, KnownCampaign, Mix, StoredCampaign
from storage.statuses import LIFECYCLE, MAILED, Status

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 11, 16)
SPRING = StoredCampaign(CampaignId(7), KnownCampaign("7", "Spring"))
mailed = st.builds(
    Mix, counts=st.dictionaries(st.sampled_from(sorted(MAILED)), st.integers(1, 3000), min_size=1)
)  # fmt: skip
PERCENT = re.compile(r"(?:[<>] |&[lg]t; )?\d+%")


def percent_of(said: str) -> str:
    found = PERCENT.search(said)
    assert found, said
    return found.group().replace("&lt;", "<").replace("&gt;", ">")


@given(mailed)
def test_every_surface_says_the_same_per_cent_of_what_was_mailed(mix: Mix) -> None:
    shown = {row.status: row.share for row in mixes.rows_of(Pie.of("", "", mix).mix)}
    back, landed = shown.get(Status.RETURNED, "0%"), shown.get(Status.DELIVERED, "0%")
    one = compare_view.Side("Spring", mix, TODAY, TODAY)
    pair = {label: both for label, _, both in compare_view.pair_of(one, one).rows()}
    assert pair.get("Returned", ("0%", "0%")) == (back, back)
    said = compare_view.differences(one, one, TODAY)
    if mix.of(Status.DELIVERED):
        assert percent_of(said[0]) == landed
    if not mix.of(Status.RETURNED):
        return
    assert percent_of(said[1]) == back
    assert percent_of(returns_view.rate_text(mix, None)) == back
    assert percent_of(returns_view.map_headline(mix, [])) == back
    assert percent_of(digest_view.alarm([digest_view.Alarm(SPRING, mix, 5, None)]).text) == back
    assert mixes.share_of_mailed(mix, Status.RETURNED) == back


@given(mailed)
@example(Mix({Status.DELIVERED: 39, Status.IN_TRANSIT: 1}))
@example(Mix({Status.DELIVERED: 195, Status.RETURNED: 5}))
@example(Mix({Status.DELIVERED: 133, Status.IN_TRANSIT: 67}))
def test_what_is_told_of_one_campaign_beside_another_is_rounded_alike(mix: Mix) -> None:
    """Whatever else is in its pie: 3 of 180 and 9 of 570 are both 2%."""
    for status in mixes.COMPARED:
        alone = formatting.share(mix.of(status), mix.total)
        assert mixes.share(mix, status) == mixes.share_of_mailed(mix, status) == alone


@pytest.mark.parametrize("total", [8, 40, 200, 1000])
def test_a_share_and_what_is_left_make_a_hundred(total: int) -> None:
    """In whatever way it is told: of pieces, or as a part of one."""
    for part in range(total + 1):
        known = formatting.wholes([part, total - part], (0, 1))
        assert sum(known) == 100
        assert known == [formatting.whole(part / total), formatting.whole((total - part) / total)]


@given(st.builds(Mix, counts=st.dictionaries(st.sampled_from(Status), st.integers(0, 3000)), other=st.integers(0, 9)))
def test_a_pair_shows_the_shares_of_each_ones_own_pie(mix: Mix) -> None:
    side = (*(number for _, number in mix.in_order()), mix.other)
    shown = {row.style.label: row.share for row in mixes.rows_of(mix)}
    assert {label: both[0] for label, _, both in Pair(("a", "b"), (side, side)).rows()} == shown
    assert len(LIFECYCLE) + 1 == len(side)


@given(mailed)
def test_the_curve_ends_at_the_pies_per_cent(mix: Mix) -> None:
    landed, back = mix.of(Status.DELIVERED), mix.of(Status.RETURNED)
    drop = draws.Drop(date(2026, 11, 9), mix.total, {4: landed} if landed else {}, {5: back} if back else {})
    told = model.Forecast((drop,), model.outlook(past.learn([], TODAY, past.heard_by({})), "letter"), TODAY, 1)
    assert Curve.of("", "", told, mix).now == mixes.share(mix, Status.DELIVERED)


#: Who may make per cents by hand, and of what: of statuses only the one rule does.
BY_HAND = {
    "handlers/text/formatting.py": "the rule itself",
    "handlers/text/mixes.py": "how many squares a rounded share takes in a strip",
    "handlers/forecast/model.py": "delivery days",
    "handlers/forecast/past.py": "delivery days",
    "handlers/status/booking.py": "chances",
    "handlers/alerts/risks.py": "chances",
    "handlers/alerts/digests.py": "a limit compared without rounding; pieces that are due",
    "handlers/charts/pie.py": "pixels",
    "handlers/charts/canvas.py": "color channels",
}
#: Who may round two numbers that are no mix.
OF_TWO = {
    "handlers/text/mixes.py": "the mix's one rule",
    "handlers/returns/view.py": "of each state's mail what came back: a state has no mix",
    "handlers/charts/states.py": "the same, in the picture",
    "handlers/status/booking.py": "what was delivered of campaigns that are over: only the share is kept of them",
}
ROUNDING = {"share", "shares", "wholes", "percent"}


def by_hand(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return any(isinstance(side, ast.Constant) and side.value == 100 for side in (node.left, node.right))
    if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
        return re.fullmatch(r"f['\"]\.?\d*%['\"]", ast.unparse(node.format_spec)) is not None
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "round"


def rounds(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ROUNDING
        and isinstance(node.value, ast.Name)
        and node.value.id == "formatting"
    ) or (
        isinstance(node, ast.ImportFrom)
        and node.module == "handlers.text.formatting"
        and bool(ROUNDING & {one.name for one in node.names})
    )


def sources() -> Iterator[tuple[str, list[ast.AST]]]:
    for path in sorted((ROOT / "handlers").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_per_cents_of_statuses_are_made_in_one_place() -> None:
    hand: Counter[str] = Counter(name for name, nodes in sources() if any(by_hand(node) for node in nodes))
    two: Counter[str] = Counter(name for name, nodes in sources() if any(rounds(node) for node in nodes))
    assert not set(hand) - set(BY_HAND), "per cents made by hand: take `mixes.share` or `mixes.share_of_mailed`"
    assert not set(two) - set(OF_TWO), "a share rounded alone: take `mixes.share` or `mixes.share_of_mailed`"
    assert set(BY_HAND) <= set(hand), "this exception is no longer needed"
    assert set(OF_TWO) <= set(two), "this exception is no longer needed"
