"""The ears of the operator, as they are put on."""

import asyncio

import kopf
import pytest
from kubernetes.aio.client import Configuration

from ninefold.kube.cache import WatchCache
from ninefold.kube.watch import watch


async def test_kopf_is_told_who_it_is_because_a_pods_user_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    async def listen(**settings: object) -> None:
        given.update(settings)

    monkeypatch.setattr(kopf, "operator", listen)

    await watch(WatchCache(()), Configuration(), (), asyncio.Event())

    assert given["identity"], "kopf would ask for the login name of a user that has none"
