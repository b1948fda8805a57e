"""Where the agent stands: success by version and day, whether it still moves, and what the next nine would take."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ninefold.analysis.stats.wilson import Z95, nines, wilson
from ninefold.api.findings import ErrorBudget, Pattern, Plateau, VersionRate
from ninefold.api.standing import SuccessRate

Rates = Mapping[tuple[str, int], tuple[int, int]]
"""(version, day since 1970) -> (traces, solved). Days of several shards add up exactly."""
LEAST_GAIN = 0.02
"""Change of the success rate over a week that is worth waiting for."""
WEEK = 7
POWER80 = 0.8416
MAX_DAYS = 90
"""Days that a report lists, the latest of all versions."""


def success_rate(solved: int, traces: int) -> SuccessRate:
    """Success with its Wilson interval of 95 %, and the nines that its lower bound supports."""
    low, high = wilson(solved, traces)
    rate = solved / traces if traces else 0.0
    return SuccessRate(traces=traces, rate=rate, low=low, high=high, nines=nines(solved, traces))


def rates(judged: pa.Table) -> dict[tuple[str, int], tuple[int, int]]:
    """Judged traces (columns `version`, `day`, `solved`) by version and day, in that order."""
    counted = (
        pa.table({"version": judged["version"], "day": judged["day"], "x": pc.cast(judged["solved"], pa.int64())})
        .group_by(["version", "day"])
        .aggregate([("x", "count"), ("x", "sum")])
    )
    columns = [counted[name].to_pylist() for name in ("version", "day", "x_count", "x_sum")]
    return dict(sorted(((v, d), (n, x)) for v, d, n, x in zip(*columns, strict=True)))


def versions(own: Rates) -> list[VersionRate]:
    """Every version over all its days, then the latest days."""
    whole: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (version, _), (n, x) in own.items():
        whole[version][0] += n
        whole[version][1] += x
    out = [VersionRate(version=v, success=success_rate(x, n)) for v, (n, x) in sorted(whole.items())]
    days = sorted(own, key=lambda k: (-k[1], k[0]))[:MAX_DAYS]
    for version, day in sorted(days, key=lambda k: (k[1], k[0])):
        n, x = own[version, day]
        out.append(VersionRate(version=version, day=date_of(day), success=success_rate(x, n)))
    return out


def plateau(own: Rates) -> Plateau | None:
    """Whether the version of the latest day has stopped moving; None with fewer than three days of it.

    A weighted straight line through the daily rates. It is a plateau only when the upper bound of the trend is below
    `LEAST_GAIN` a week, and when a trend of that size would have been seen with a power of 80 %.
    """
    if not own:
        return None
    version = max(own, key=lambda k: (k[1], own[k][0]))[0]
    days = [(day, n, x) for (v, day), (n, x) in own.items() if v == version]
    if len(days) < 3:
        return None
    total = sum(n for _, n, _ in days)
    mean = sum(x for _, _, x in days) / total
    centre = sum(day * n for day, n, _ in days) / total
    spread = sum(n * (day - centre) ** 2 for day, n, _ in days)
    slope = sum(n * (day - centre) * (x / n - mean) for day, n, x in days) / spread
    # Days differ by more than chance where they do: the larger of binomial and observed scatter.
    scatter = sum(n * (x / n - mean - slope * (day - centre)) ** 2 for day, n, x in days) / (len(days) - 2)
    error = math.sqrt(max(mean * (1 - mean), scatter) / spread) * WEEK
    trend, high, detectable = slope * WEEK, slope * WEEK + Z95 * error, (Z95 + POWER80) * error
    seen = detectable <= LEAST_GAIN
    still = high < LEAST_GAIN and seen
    said = f"trend {trend * 100:+.1f} pp a week, upper bound {high * 100:+.1f} pp, worthwhile {LEAST_GAIN * 100:.1f} pp"
    if not seen:
        said += f"; {total} traces over {len(days)} days would show {detectable * 100:.1f} pp at best: too few to tell"
    return Plateau(
        version=version, plateaued=still, trend=trend, high=high, detectable=detectable, told=seen, message=said
    )


def budget(solved: int, traces: int, patterns: Sequence[Pattern]) -> ErrorBudget | None:
    """What must go for the next nine, by the patterns' predicted gains; None without failures."""
    if not traces or solved == traces:
        return None
    rate = solved / traces
    target = 1 - 10.0 ** -(math.floor(-math.log10(1 - rate) + 1e-9) + 1)
    need = math.ceil(target * traces - solved - 1e-9)
    chosen: list[str] = []
    numbers: list[str] = []
    saved = 0.0
    order = sorted(enumerate(patterns, 1), key=lambda p: -p[1].predicted_gain)
    for number, pattern in order:
        if saved >= need or pattern.predicted_gain <= 0:
            break
        saved += pattern.predicted_gain * traces
        chosen.append(pattern.id)
        numbers.append(f"#{number}")
    names = sorted(numbers, key=lambda n: int(n[1:]))
    which = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    said = f"to {target:.6g} from {rate:.4f}, {need} failures of {traces - solved} must go: "
    if not names:
        said += "no pattern is known that would save any"
    elif saved < need:
        said += f"{which} would save {saved:.0f}, not enough"
    else:
        said += f"you need {which}, which would save {saved:.0f}"
    return ErrorBudget(
        target=target, failures_to_save=max(0, need), patterns=chosen, enough=saved >= need, message=said
    )


def date_of(day: int) -> str:
    """The UTC date of a day since 1970, as ISO 8601 writes it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
