"""What buttons, forms and choices carry comes back as it was, or is refused in words."""

import ast
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.errors import Outdated
from handlers.text import buttons, codec
from handlers.text.buttons import (
    AlertsForm,
    AtStatus,
    Cancelling,
    MailOf,
    News,
    OneCampaign,
    OnePiece,
    OneRow,
    PiecesShown,
    Settled,
    Word,
)
from handlers.text.codec import Carried, read, write
from storage.records import CampaignId, NotifyOn, PieceId
from storage.statuses import Status

SHAPES = sorted(Carried.__subclasses__(), key=lambda shape: shape.__name__)
NUMBERS = st.integers(0, codec.LARGEST)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OF_KIND: dict[Any, st.SearchStrategy[Any]] = {
    int: NUMBERS,
    str: WORDS,
    bool: st.sampled_from([True, False]),
    date: st.dates(),
    type(None): st.none(),
}


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    bare = codec._bare(kind)
    if isinstance(bare, tuple):
        return st.one_of([strategy(one) for one in bare])
    return OF_KIND[bare] if bare in OF_KIND else st.sampled_from(list(bare))


def any_of(shape: type[Carried]) -> st.SearchStrategy[Any]:
    return st.builds(shape, **{name: strategy(kind) for name, kind in codec._kinds(shape).items()})


@given(st.one_of([any_of(shape) for shape in SHAPES]))
def test_what_is_carried_comes_back(carried: Carried) -> None:
    value = write(carried)
    assert read(type(carried), value) == carried
    assert len(value) <= (codec.FORM if isinstance(carried, PiecesShown) else codec.CHOICE)


@given(st.sampled_from(SHAPES), st.text() | st.from_regex(r"(~\d\|)?[-\w|%]*", fullmatch=True))
def test_whatever_else_comes_is_outdated_and_never_an_error(shape: type[Carried], value: str) -> None:
    try:
        found = read(shape, value)
    except Outdated:
        return
    assert write(found) == value, "and what is read is written so again: nothing is read two ways"


def test_the_longest_search_fits_its_form() -> None:
    value = write(PiecesShown(CampaignId(10**17), Status.RETURNED, "|~%" * 34))
    assert len(value) < codec.FORM
    with pytest.raises(ValueError, match="3"):
        write(Word("|" * 51))


@pytest.mark.parametrize(
    ("value", "carried"),
    [
        ("5", OneCampaign(CampaignId(5))),
        ("5", OnePiece(PieceId(5))),
        ("5", OneRow(5)),
        ("5|2026-01-01|2026-01-31", MailOf(CampaignId(5), date(2026, 1, 1), date(2026, 1, 31))),
        ("||", MailOf(None, None, None)),
        ("last_month", Word("last_month")),
        ("returned", News(NotifyOn.RETURNED)),
    ],
)
def test_the_messages_that_stand_in_channels_are_still_understood(value: str, carried: Carried) -> None:
    assert read(type(carried), value) == carried


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        # Of forms that were open while the app was renewed.
        (PiecesShown, '[5, "4", "Jane"]'),
        (Cancelling, "i5|C1"),
        (Cancelling, "7|C1"),
        (Settled, "5|done"),
        (AtStatus, "4"),
        (AlertsForm, "C1"),
        # Of a version after this one, after a step back.
        (OneCampaign, "~2|5"),
        (PiecesShown, "~3|5|RETURNED|Jane"),
        # Made up.
        (OneCampaign, "²"),
        (OneCampaign, "05"),
        (OneCampaign, ""),
        (MailOf, "5|20260101|"),
        (MailOf, "5|2026-02-30|"),
        (AtStatus, "~2|LOST"),
        (News, "everything"),
    ],
)
def test_what_an_earlier_or_later_version_wrote_otherwise_is_outdated(shape: type[Carried], value: str) -> None:
    with pytest.raises(Outdated):
        read(shape, value)


def test_no_other_module_builds_or_splits_such_values_by_hand() -> None:
    """The types do most of it: a button takes a `Value`, and only the codec makes one."""
    root = Path(buttons.__file__).parent.parent
    found = []
    for path in root.rglob("*.py"):
        if path.name == "codec.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.Call, ast.Dict)):
                continue
            said = ast.unparse(node)
            made = re.match(r"(codec\.)?Value\(|cast\(['\"]?Value", said)
            split = re.match(r"(\w+\.)*(value|metadata)\.(r?partition|r?split|startswith|removeprefix)\(", said)
            raw = isinstance(node, ast.Dict) and any(
                isinstance(key, ast.Constant) and key.value in ("value", "private_metadata")
                and not re.match(r"write\(|value$|carries$|given\.", ast.unparse(held))
                for key, held in zip(node.keys, node.values, strict=True)
            )  # fmt: skip
            if made or split or raw:
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    assert found == []
