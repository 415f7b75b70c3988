"""What is measured, for Prometheus. No label names a workspace, a person or a piece."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from handlers.context.memory import Memory
from handlers.context.services import Services
from storage import health

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
#: What waits to be merged: usually less than a tenth of a second.
LATE: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 30, 300)
SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass
class Metrics:
    """One process's counters and times; gauges of what all processes share are read when somebody asks."""

    memory: Memory
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    by_status: dict[int, Counter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = self.registry
        self.webhooks = Counter(
            "piecewise_webhooks", "Calls of the mail platform, by HTTP status.", ["status"], registry=made
        )
        self.acks = Histogram(
            "piecewise_ack_seconds", "From Slack's request to our acknowledgement.", buckets=QUICK, registry=made
        )
        self.slack = Histogram("piecewise_slack_seconds", "Slack's answers to our calls.", buckets=SLOW, registry=made)
        self.slack_outcomes = Counter(
            "piecewise_slack_calls", "Our calls to Slack, by outcome.", ["outcome"], registry=made
        )
        self.learned = Gauge(
            "piecewise_ledger_objects", "Objects merged into the ledger since the start.", registry=made
        )
        self.inbox_calls = Gauge("piecewise_inbox_calls", "Webhook calls that wait to be merged.", registry=made)
        self.inbox_age = Gauge(
            "piecewise_inbox_age_seconds", "Age of the oldest webhook call that waits to be merged.", registry=made
        )
        self.inbox_lag = Histogram(
            "piecewise_inbox_lag_seconds",
            "From a webhook call to the commit that merged it.",
            buckets=LATE,
            registry=made,
        )
        self.depth = Gauge("piecewise_outbox_depth", "Rows that wait to be told.", registry=made)
        self.age = Gauge("piecewise_outbox_age_seconds", "Age of the oldest row that may be told now.", registry=made)
        self.lag = Gauge(
            "piecewise_poll_lag_seconds", "Longest time since a connected account was read.", registry=made
        )
        self.closed = Gauge(
            "piecewise_secrets_closed", "Workspaces whose stored secrets did not open here last.", registry=made
        )
        self.workspaces = Gauge("piecewise_workspaces", "Workspaces, by state.", ["state"], registry=made)
        for outcome in ("ok", "rate_limited", "down", "refused"):
            self.slack_outcomes.labels(outcome)

    def called(self, seconds: float, outcome: str) -> None:
        """See `bot.slack.client.Meter`."""
        self.slack.observe(seconds)
        self.slack_outcomes.labels(outcome).inc()

    def answered(self, status: int) -> None:
        """A webhook call was answered. To look a label up each time would show."""
        counter = self.by_status.get(status)
        if counter is None:
            counter = self.by_status[status] = self.webhooks.labels(str(status))
        counter.inc()

    async def text(self, services: Services) -> bytes:
        """All of it, as Prometheus reads it."""
        now: datetime = services.clock.now()
        seen = await self.memory.read(health.look, now)
        self.depth.set(seen.depth)
        self.age.set(seen.age.total_seconds())
        self.lag.set(seen.lag.total_seconds())
        self.learned.set(self.memory.learned)
        waiting = (await self.memory.on_reader(services.inflow.inbox.waiting)).values()
        self.inbox_calls.set(sum(one.calls for one in waiting))
        self.inbox_age.set(max(((now - one.oldest).total_seconds() for one in waiting), default=0))
        for state, number in seen.workspaces.items():
            self.workspaces.labels(state).set(number)
        return generate_latest(self.registry)
