"""What is named as a change that changes nothing stands in the code: else it excuses nobody knows what."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_each_line_that_is_named_is_there_with_its_reason() -> None:
    named = tomllib.loads((ROOT / "tests/mutants/equivalent.toml").read_text())["same"]
    gone = [one for one in named if one["line"] not in map(str.strip, (ROOT / one["path"]).read_text().splitlines())]
    assert gone == []
    assert all(one["why"] for one in named)
