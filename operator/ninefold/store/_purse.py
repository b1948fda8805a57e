"""What a run and a day may spend: booked before it is spent, atomically, over all pods and in all units at once.

**All or nothing.** One call is booked in calls, tokens and money, for the run and for the day, by one script: two
commands would let two pods both take the last call, and a call that fits the run but not the day would stay booked in
the run. Only the estimate is known before a call; `settle` puts the true usage in its place.

**In flight.** What is booked and not yet settled stands by its request in a hash of its own. A pod that is killed
leaves it there; the next pod, which asks the same request again, is told, and where the other side runs a repeated
request once (`once`) both bookings become the one call that was made.

**One pod.** A pod takes the stage's epoch when it opens the purse, and a booking of an older epoch is refused. So of
two pods that work at once (a node that came back from the dead) only the newer one buys.

**Lost.** Redis may lose the counters (or evict them, where it was told to), which must not hand the budget back. A pod
remembers what it has seen and writes it back when the counters' epoch is gone; before the pod's own time, `floor` is
what the ledger has booked of earlier stages. Only what a pod spent that was killed together with Redis is forgotten.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from ninefold.api.artifacts import sha256
from ninefold.api.spending import Spent, dollars
from ninefold.spending import Booking, BudgetSpentError, SupersededError, What
from ninefold.store import _scripts

PURSE_TTL = timedelta(days=30)
"""Longer than any run lasts, and renewed by each booking."""
UNITS = ("calls", "tokens", "microUsd")

ALL = "all"
"""The account of everything, in the run's and in the day's hash."""
_OF_PODS = ("epoch:", "ended:", "killed:")
"""Fields of the run's hash that are no accounts."""


@dataclass(frozen=True)
class Limit:
    """At most this many of one unit. `account`: `all`, or a purpose such as `replay`. `name`: the field, for people."""

    name: str
    unit: str
    most: int
    account: str = ALL
    per_day: bool = False


@dataclass
class Purse:
    """The purse of one stage of one run; `ninefold.spending.Purse`. Errors: `StoreUnavailableError`.

    `floor` and `floor_day` are what the ledger knows to have been spent, by stage and by day: the counters never fall
    below them.
    """

    redis: Redis
    errors: Callable[[], AbstractContextManager[None]]
    agent_uid: str
    run_uid: str
    stage: str
    limits: tuple[Limit, ...] = ()
    floor: Mapping[str, Mapping[str, Spent]] = field(default_factory=dict)
    """Stage -> what (such as `replay/baseline`) -> spent."""
    floor_day: Mapping[str, Spent] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    killed: int = 0
    """Earlier pods of this stage that were gone before they could say so: calls of theirs may be lost."""
    _epoch: int = 0
    _seen: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._book = self.redis.register_script(_scripts.BOOK)
        self._correct = self.redis.register_script(_scripts.CORRECT)
        self._raise = self.redis.register_script(_scripts.RAISE)
        self._end = self.redis.register_script(_scripts.END)

    async def open(self) -> None:
        """Take the stage over from any older pod, and raise the counters to what the ledger knows."""
        floors: dict[tuple[int, str], int] = {}
        for stage, lines in self.floor.items():
            for what, spent in lines.items():
                for account in {ALL, what.split("/")[0], stage, f"{stage}|{what}"}:
                    for unit, amount in _amounts(spent):
                        floors[1, f"{account}/{unit}"] = floors.get((1, f"{account}/{unit}"), 0) + amount
        day = self._day()
        if day in self.floor_day:
            floors |= {(2, f"{ALL}/{unit}"): amount for unit, amount in _amounts(self.floor_day[day])}
        await self._restore(floors, day)

    async def ended(self) -> None:
        """This pod ends, and no call of its own is in flight."""
        with self.errors():
            await self._end(keys=self._keys(self._day()), args=[json.dumps(self._fields())])

    async def book(self, call: str, what: What, estimate: Spent) -> Booking:
        """See `ninefold.spending.Purse`."""
        assert self._epoch, "the purse has not been opened"
        day = self._day()
        units = dict(_amounts(estimate))
        limits = [
            {
                "hash": 2 if limit.per_day else 1,
                "field": f"{limit.account}/{limit.unit}",
                "amount": units[limit.unit],
                "limit": limit.most,
                "name": limit.name,
            }
            for limit in self.limits
            if limit.account in (ALL, what.purpose)
        ]
        adds = self._adds(what, day, _amounts(estimate))
        call = sha256(call.encode())[:32]
        said = await self._run(
            self._book,
            day,
            call=call,
            limits=limits,
            adds=adds,
            standing=json.dumps([n for _, n in _amounts(estimate)]),
        )
        if said.get("superseded"):
            raise SupersededError
        if "refused" in said:
            raise BudgetSpentError(self._refusal(str(said["refused"]), int(said["spent"]), units))
        self._note(adds)
        calls, tokens, micros = json.loads(said["orphan"]) if said.get("orphan") else (0, 0, 0)
        orphan = Spent(calls=calls, tokens=tokens, micro_usd=micros)
        return Booking(call, what, day, estimate, orphan)

    async def settle(self, booking: Booking, actual: Spent, *, once: bool = False) -> None:
        """See `ninefold.spending.Purse`."""
        booked = booking.estimate + booking.orphan if once else booking.estimate
        await self._settled(booking, booked, actual, standing=None)

    async def release(self, booking: Booking) -> None:
        """See `ninefold.spending.Purse`."""
        orphan = [n for _, n in _amounts(booking.orphan)]
        await self._settled(booking, booking.estimate, Spent(), standing=json.dumps(orphan) if any(orphan) else None)

    async def spent(self) -> dict[str, Spent]:
        """What this stage has spent over all its pods, by what it was for (`What.name`)."""
        return await self._accounts(f"{self.stage}|")

    async def spent_by_day(self) -> dict[str, Spent]:
        """What this stage has spent over all its pods, by day (UTC)."""
        return await self._accounts(f"{self.stage}@")

    async def of_run(self, account: str = ALL) -> Spent:
        """What the run has spent on an account: `all`, a purpose, or a stage."""
        return (await self._accounts("")).get(account, Spent())

    async def _accounts(self, start: str) -> dict[str, Spent]:
        await self._restore({}, self._day())
        found = {name: n for (place, name), n in self._seen.items() if place == 1 and name.startswith(start)}
        return _by_account({name.removeprefix(start): n for name, n in found.items()})

    # ------------------------------------------------------------ in Redis

    async def _settled(self, booking: Booking, booked: Spent, actual: Spent, *, standing: str | None) -> None:
        before, after = dict(_amounts(booked)), dict(_amounts(actual))
        adds = self._adds(booking.what, booking.day, [(unit, after[unit] - before[unit]) for unit in UNITS])
        await self._run(self._correct, booking.day, call=booking.call, adds=adds, standing=standing)
        self._note(adds)

    async def _run(self, script: Any, day: str, **given: Any) -> dict[str, Any]:
        """Run a script; when the counters are gone, write back what this pod has seen and run it again."""
        for _ in range(2):
            given = {name: value for name, value in given.items() if value is not None}  # a null is true to Lua
            argument = json.dumps({**self._fields(), **given})
            with self.errors():
                found = await script(keys=self._keys(day), args=[argument, int(PURSE_TTL.total_seconds())])
            said: dict[str, Any] = json.loads(found)
            if not said.get("lost"):
                return said
            await self._restore(self._seen, day)
        raise SupersededError  # lost again at once: Redis keeps nothing

    async def _restore(self, floors: Mapping[tuple[int, str], int], day: str) -> None:
        wanted = [[place, name, n] for (place, name), n in floors.items() if n > 0]
        argument = json.dumps({"floors": wanted, **self._fields()})
        with self.errors():
            found = await self._raise(keys=self._keys(day), args=[argument, int(PURSE_TTL.total_seconds())])
        said = json.loads(found)
        self._epoch, self.killed = int(said["epoch"]), int(said["killed"])
        for place, fields in ((1, said["run"]), (2, said["day"])):
            # An empty Lua table is an empty object to cjson.
            pairs = list(fields) if isinstance(fields, list) else []
            for name, n in zip(pairs[::2], pairs[1::2], strict=True):
                if not str(name).startswith(_OF_PODS):
                    self._seen[place, str(name)] = int(n)

    def _keys(self, day: str) -> list[str]:
        start = f"ninefold:{self.agent_uid}"
        return [
            f"{start}:spent:{self.run_uid}",
            f"{start}:spent-on:{day}",
            f"{start}:asking:{self.run_uid}:{self.stage}",
        ]

    def _fields(self) -> dict[str, Any]:
        """Whose call of a script this is, and where the run's hash tells of its pods."""
        return {
            "epoch": self._epoch,
            **{f"{name}Field": f"{name}:{self.stage}" for name in ("epoch", "ended", "killed")},
        }

    def _adds(self, what: What, day: str, amounts: list[tuple[str, int]]) -> list[list[Any]]:
        accounts = [ALL, what.purpose, self.stage, f"{self.stage}|{what.name}", f"{self.stage}@{day}"]
        return [
            *([1, f"{account}/{unit}", n] for account in accounts for unit, n in amounts if n),
            *([2, f"{ALL}/{unit}", n] for unit, n in amounts if n),
        ]

    def _note(self, adds: list[list[Any]]) -> None:
        for place, name, n in adds:
            self._seen[place, name] = self._seen.get((place, name), 0) + n

    def _day(self) -> str:
        return self.now().astimezone(UTC).strftime("%Y-%m-%d")

    def _refusal(self, name: str, spent: int, units: Mapping[str, int]) -> str:
        limit = next(one for one in self.limits if one.name == name)
        on = "today" if limit.per_day else "in this run"
        if limit.unit == "microUsd":
            had, most, next_one = dollars(spent), dollars(limit.most), f"about {dollars(units['microUsd'])}"
        else:
            had, most = f"{spent:,} {limit.unit}", f"{limit.most:,}"
            next_one = f"about {units['tokens']:,}" if limit.unit == "tokens" else "one"
        return f"{had} of the {most} of {name} are spent {on}, and the next call would take {next_one} more"


def _amounts(spent: Spent) -> list[tuple[str, int]]:
    return [("calls", spent.calls), ("tokens", spent.tokens), ("microUsd", spent.micro_usd)]


def _by_account(fields: Mapping[str, int]) -> dict[str, Spent]:
    """`account/unit` -> n as account -> Spent."""
    found: dict[str, dict[str, int]] = {}
    for name, n in fields.items():
        account, _, unit = name.rpartition("/")
        found.setdefault(account, {})[unit] = max(0, n)
    return {
        account: Spent(calls=u.get("calls", 0), tokens=u.get("tokens", 0), micro_usd=u.get("microUsd", 0))
        for account, u in sorted(found.items())
    }
