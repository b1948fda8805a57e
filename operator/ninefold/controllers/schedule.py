"""Cron schedules in UTC: when one is due next, and which of the times that passed was the newest."""

from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError


class InvalidSchedule(Exception):
    """The expression says no time. The message says why, and what to write."""


def next_time(expression: str, now: datetime) -> datetime:
    """The first time after `now`. Raises InvalidSchedule."""
    return _tick(expression, now, reverse=False)


def newest_time(expression: str, now: datetime) -> datetime:
    """The last time that is not after `now`: times that were missed before it are not made up for."""
    whole_minute = now.replace(second=0, microsecond=0)
    return _tick(expression, whole_minute + timedelta(minutes=1), reverse=True)


def _tick(expression: str, start: datetime, *, reverse: bool) -> datetime:
    try:
        return next(CronSim(expression, start.astimezone(UTC), reverse=reverse))
    except CronSimError as error:
        raise InvalidSchedule(
            f"spec.trigger.schedule {expression!r}: {error}; write five fields, such as 0 3 * * *"
        ) from None
    except StopIteration:
        raise InvalidSchedule(
            f"spec.trigger.schedule {expression!r} names no time in the next 50 years; write one such as 0 3 * * *"
        ) from None
