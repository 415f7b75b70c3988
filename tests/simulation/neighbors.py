"""Whether what becomes of one customer depends on what others do: the same seed, with the others and without them."""

from collections.abc import Sequence
from typing import Any

from tests.simulation.invariants import must_be_told, news_of
from tests.simulation.script import Event
from tests.simulation.store import rows
from tests.simulation.world import World

#: What is nobody's input.
TROUBLES = frozenset({"weather", "storm", "trap", "crash", "pause", "clock"})
#: What is of no one customer.
OF_ALL = frozenset({"processes", "crowd", "moment"})


def calm(events: Sequence[Event]) -> list[Event]:
    """The same without what goes wrong: a fault that hits another customer instead is no fault of theirs."""
    return [one for one in events if one.kind not in TROUBLES]


def alone(events: Sequence[Event], number: int) -> list[Event]:
    """The same without the other customers."""
    return [one for one in events if one.kind in OF_ALL or one.facts[0] == number]


def customers(events: Sequence[Event]) -> set[int]:
    """Who there is in a story."""
    return {one.facts[0] for one in events if one.kind == "install"}


def outcome(world: World, number: int) -> dict[str, Any]:
    """What became of a customer, but for the moments at which it did."""
    tenant = world.tenants[number]
    mine = f"WHERE workspace_id = {tenant.id}"
    told = {
        (name, ref, found[0].word)
        for name, room in tenant.team.rooms.items()
        for post in room.posts
        if (found := news_of(post))
        for ref in found[1]
        if (ref, found[0]) in must_be_told(world, tenant, name)
    }
    return {
        "pieces": [tuple(row.values()) for row in rows(world.store, f"SELECT ref, status, cost, name FROM pieces {mine} ORDER BY ref")],
        "subscriptions": [tuple(row.values()) for row in rows(world.store, f"SELECT channel, wants FROM subscriptions {mine} ORDER BY 1")],
        "secrets": [tuple(row.values()) for row in rows(world.store, f"SELECT place FROM secrets {mine} ORDER BY 1")],
        "stopped": sorted(tenant.books.asked_to_cancel),
        "told": sorted(told),
    }  # fmt: skip
