import pytest
from light_parts import LightPart


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts without the engine."""
    for module in ("passes", "reading"):
        monkeypatch.setattr(f"ninefold.jobs.{module}.Part", LightPart)
