"""What is said once a recipient is erased: of which pieces, and of others to the same name and address."""

from typing import Any

import pytest

from handlers.admin import view as admin_view
from handlers.text.buttons import Action, PiecesFound
from handlers.text.codec import read
from storage.queries.search import COUNTED
from storage.records import PieceId
from tests.handlers.conftest import pressable


def erased(number: int, others: int) -> list[Any]:
    return admin_view.erased("10<1", number, [PieceId(n) for n in range(1, others + 1)], "Pigeon")


@pytest.mark.parametrize(
    ("others", "said", "button"),
    [
        (1, "1 other piece goes to the same name", "Erase that one, too"),
        (2, "2 other pieces go to the same name", "Erase those 2, too"),
        (COUNTED - 1, f"{COUNTED - 1} other pieces go to the same name", f"Erase those {COUNTED - 1}, too"),
        (COUNTED, f"{COUNTED} or more other pieces go to the same name", f"Erase those {COUNTED}, too"),
    ],
)
def test_others_to_the_same_address_are_counted_and_offered(others: int, said: str, button: str) -> None:
    blocks = erased(1, others)
    assert said in str(blocks)
    buttons = dict(pressable(blocks))
    assert set(buttons) == {Action.FOUND_LIST, Action.ERASE_OTHERS}
    (row,) = [one["elements"] for one in blocks if one["type"] == "actions"]
    assert [one["text"]["text"] for one in row] == ["Show the list", button]
    assert row[1]["confirm"]["title"]["text"] == f"{button}?"
    assert read(PiecesFound, buttons[Action.ERASE_OTHERS]).total == others
    assert "I know no other piece" not in str(blocks)


def test_the_button_says_how_many_it_erases_where_not_all_fit_into_it() -> None:
    large = [PieceId(2**60 + n) for n in range(300)]
    blocks = admin_view.erased("1", 1, large, "Pigeon")
    carried = read(PiecesFound, dict(pressable(blocks))[Action.ERASE_OTHERS]).pieces
    assert len(carried) < 300
    assert f"Erase those {len(carried)}, too" in str(blocks)
    assert "300 other pieces go" in str(blocks)


@pytest.mark.parametrize(("number", "which"), [(1, "piece `10&lt;1` was"), (2, "these 2 pieces were")])
def test_of_one_its_number_is_said_and_of_several_how_many(number: int, which: str) -> None:
    blocks = erased(number, 0)
    assert f"I no longer know who {which} sent to." in str(blocks)
    assert pressable(blocks) == []
    assert "I know no other piece to the same name and address." in str(blocks)
    assert "Pigeon keeps its own copy" in str(blocks)
