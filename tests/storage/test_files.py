"""A SQLite file that goes and comes back is told of once each, whoever looks at what moment."""

from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from storage import files


def test_who_looked_before_it_went_does_not_say_that_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mail.db"
    path.write_bytes(b"mail")
    file = files.SameFile(str(path))
    file.remember()
    look = files._identity

    def slow(one: Path) -> tuple[int, int] | None:
        """It goes while this reader has looked and not yet acted, and another sees that and says it."""
        found = look(one)
        monkeypatch.setattr(files, "_identity", look)
        path.rename(tmp_path / "aside")
        with pytest.raises(OperationalError):
            file.require()
        return found

    monkeypatch.setattr(files, "_identity", slow)
    with pytest.raises(OperationalError):
        file.require()
    with pytest.raises(OperationalError):
        file.require()
    (tmp_path / "aside").rename(path)
    file.require()
    assert (caplog.text.count("database.file_gone"), caplog.text.count("database.file_back")) == (1, 1)
