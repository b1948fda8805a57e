"""One holder at a time: taking over only after silence, giving up before others take over, giving back in peace."""

import asyncio
from collections.abc import Callable

import pytest
from kube_standin import Server

from ninefold.kube.errors import KubeError
from ninefold.kube.lease import Lease, LeaseLostError, Timing
from ninefold.kube.resources import LEASE

FAST = Timing(duration=1.0, renew_deadline=0.5, retry=0.01, request=0.2)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def candidate(server: Server) -> Callable[[str], Lease]:
    return lambda name: Lease(server, "ns", "ninefold", name, FAST)  # type: ignore[arg-type]


def spec(server: Server) -> dict[str, object]:
    found: dict[str, object] = server.objects["Lease", "ns", "ninefold"]["spec"]
    return found


async def renewals(server: Server, lease: Lease, requests: int) -> None:
    """Keep the lease until so many requests have arrived."""
    server.arrivals = asyncio.Queue()
    keeping = asyncio.create_task(lease.keep())
    for _ in range(requests):
        await server.arrivals.get()
    keeping.cancel()


async def test_the_first_one_creates_the_lease_and_holds_it(server: Server, candidate: Callable[[str], Lease]) -> None:
    one = candidate("one")
    assert not one.is_held
    await one.acquire()
    assert one.is_held
    assert spec(server)["holderIdentity"] == "one"
    assert spec(server)["leaseTransitions"] == 1


async def test_a_second_one_waits_while_the_first_one_renews(candidate: Callable[[str], Lease]) -> None:
    one, two = candidate("one"), candidate("two")
    await one.acquire()
    keeping = asyncio.create_task(one.keep())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5 * FAST.duration):
            await two.acquire()
    assert one.is_held
    assert not two.is_held
    keeping.cancel()


async def test_a_lease_that_is_given_back_is_taken_without_waiting(
    server: Server, candidate: Callable[[str], Lease]
) -> None:
    one, two = candidate("one"), candidate("two")
    await one.acquire()
    await one.release()
    assert not one.is_held
    await two.acquire()
    assert two.is_held
    assert spec(server)["leaseTransitions"] == 2


async def test_a_dead_holder_is_replaced_when_it_has_been_silent_for_as_long_as_it_promised(
    server: Server, candidate: Callable[[str], Lease]
) -> None:
    one, two = candidate("one"), candidate("two")
    await one.acquire()
    await asyncio.wait_for(two.acquire(), 5)
    assert two.is_held
    assert spec(server)["holderIdentity"] == "two"


async def test_who_cannot_renew_gives_up_before_another_may_take_over(
    server: Server, candidate: Callable[[str], Lease]
) -> None:
    one = candidate("one")
    await one.acquire()
    server.down = True
    with pytest.raises(LeaseLostError, match="could not be renewed"):
        await one.keep()
    assert not one.is_held


async def test_a_blip_of_the_server_costs_nothing(server: Server, candidate: Callable[[str], Lease]) -> None:
    one = candidate("one")
    await one.acquire()
    server.fail_next = KubeError(0, "Unreachable", "no answer")
    await renewals(server, one, 4)
    assert one.is_held


async def test_who_finds_another_holder_has_lost_and_gives_nothing_back(
    server: Server, candidate: Callable[[str], Lease]
) -> None:
    one = candidate("one")
    await one.acquire()
    stolen = server.objects["Lease", "ns", "ninefold"]
    server.store("Lease", {**stolen, "spec": {**stolen["spec"], "holderIdentity": "two"}})
    with pytest.raises(LeaseLostError, match="is held by two now"):
        await one.keep()
    await one.release()
    assert spec(server)["holderIdentity"] == "two"


async def test_a_renewal_whose_answer_was_lost_is_no_loss(server: Server, candidate: Callable[[str], Lease]) -> None:
    one = candidate("one")
    await one.acquire()
    ours = server.objects["Lease", "ns", "ninefold"]
    server.store("Lease", ours)  # written once more under our name, and we do not know its version
    await renewals(server, one, 3)
    assert one.is_held


async def test_of_two_who_take_over_at_once_one_wins(server: Server, candidate: Callable[[str], Lease]) -> None:
    one, two = candidate("one"), candidate("two")
    await asyncio.wait(
        [asyncio.create_task(one.acquire()), asyncio.create_task(two.acquire())], return_when=asyncio.FIRST_COMPLETED
    )
    assert one.is_held != two.is_held


async def test_a_missing_right_is_told_and_not_waited_for(server: Server, candidate: Callable[[str], Lease]) -> None:
    server.fail_next = KubeError(403, "Forbidden", "cannot get leases")
    with pytest.raises(KubeError, match="cannot get leases"):
        await candidate("one").acquire()


async def test_renewing_is_one_request(server: Server, candidate: Callable[[str], Lease]) -> None:
    one = candidate("one")
    await one.acquire()
    server.requests.clear()
    await renewals(server, one, 3)
    assert set(server.requests) == {("replace", LEASE.kind)}
