"""A purse: what a stage may still spend, asked before every call. The words that store, replay and models share.

A call is *booked* at an estimate before it is made, so a pod that dies in between has counted too much rather than too
little, and *settled* when it is known what it took. The purse of a run is `ninefold.store.Purse`.
"""

from dataclasses import dataclass, field
from typing import Protocol

from ninefold.api.spending import Purpose, Spent


@dataclass(frozen=True)
class What:
    """What a call is for: `arm` says for whom it is replayed or judged, where that makes sense."""

    purpose: Purpose
    arm: str = ""

    @property
    def name(self) -> str:
        """Such as `replay/baseline` or `reflection`: the key under which it is reported."""
        return f"{self.purpose}/{self.arm}" if self.arm else self.purpose


@dataclass(frozen=True)
class Booking:
    """One booked call. `call` names the request; `orphan` is what dead tries of the same request have left booked."""

    call: str
    what: What
    day: str
    estimate: Spent
    orphan: Spent = field(default_factory=Spent)


class BudgetSpentError(Exception):
    """Another call would pass a limit. The message is a sentence that names the limit and what is spent."""


class SupersededError(Exception):
    """A newer pod of the same stage spends from this purse now: this one must stop."""


class Purse(Protocol):
    """Books and settles calls, over all pods of a run."""

    async def book(self, call: str, what: What, estimate: Spent) -> Booking:
        """Book one call. Raises BudgetSpentError, with nothing booked, or SupersededError."""
        ...

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        """The call was answered and took this. `once`: the other side runs a repeated request once, so all tries of
        this one, those of dead pods included, were one call."""
        ...

    async def release(self, booking: Booking) -> None:
        """The call was not made, or refused before it was run: it took nothing."""
        ...


class Unlimited:
    """A purse without a bottom, for calls that cost nothing."""

    async def book(self, call: str, what: What, estimate: Spent) -> Booking:
        return Booking(call, what, "", estimate)

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        return

    async def release(self, booking: Booking) -> None:
        return
