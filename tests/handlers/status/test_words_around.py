"""What people say around a name, taken away from it: also where they say it two hundred times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.front.payloads import Mentioned
from handlers.status.understanding import without_words_around

#: Words and marks behind a name, of which none is a part of it.
behind = st.lists(
    st.sampled_from([" please", ",now", " , status", "?", "!", ";", " ", ".", ": at", ",, at"]), max_size=60
)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("how is Spring doing?", "Spring"),
        ("Spring, please; now", "Spring"),
        ("Spring now. Thanks!", "Spring"),
        ("Spring,going,PLS...", "Spring"),
        ("Spring.going", "Spring.going"),
        ("Wellspring", "Wellspring"),
        ("when is Spring all home?", "Spring"),
        ("when will Spring be home?", "Spring"),
        ("will Spring be in homes", "Spring"),
        ("when is Spring at home", "Spring"),
        ("how many of the Spring ones bounced?", "Spring ones"),
        ("how many Holiday postcards were returned", "Holiday postcards"),
        ("thanks", "thanks"),
        ("where's the Spring drop", "Spring"),
        (" , please", ""),
        ("", ""),
    ],
)
def test_what_is_said_around_a_name_is_no_part_of_it(typed: str, name: str) -> None:
    assert without_words_around(typed) == name


@pytest.mark.timeout(20)
@given(behind)
def test_however_much_is_said_behind_a_name_the_name_is_left(said: list[str]) -> None:
    assert without_words_around("Q1" + "".join(said)) == "Q1"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("said", [",", " ", ",, at", " , please", "?!", ",at"])
def test_a_name_behind_many_marks_and_words_is_found_without_trying_them_in_every_way(said: str) -> None:
    """Tried in every way, two hundred characters take seconds or forever; so ten thousand would never end here."""
    typed = "z" + said * (10_000 // len(said)) + "x"
    assert without_words_around(typed) == typed


@pytest.mark.timeout(20)
@pytest.mark.parametrize("said", ["<@U1|", "<@U1", "<@U1|a>"])
def test_whom_a_mention_speaks_to_is_left_out_in_one_look(said: str) -> None:
    """Slack sends up to forty thousand characters, and an open mention was looked for to their end from each place."""
    typed = said * (100_000 // len(said))
    event = {"user": "U1", "channel": "C1", "ts": "1.1", "text": typed}
    heard = Mentioned.model_validate({"event_id": "Ev1", "event": event})
    assert heard.text() == ("" if said.endswith(">") else typed)
