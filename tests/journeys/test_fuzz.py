"""A short form of `make fuzz`, and the inputs that once broke something."""

from tests.fuzz.__main__ import attacked


async def test_a_few_thousand_damaged_inputs_break_nothing(postgres_url: str) -> None:
    found = await attacked(postgres_url, 2000, seed=11)
    assert found.faults == []
    assert found.sent == 2000
    assert {200, 400, 401, 404} <= set(found.statuses)
