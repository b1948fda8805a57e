"""Page by page through a list, with pages that shrink where the server cannot deliver them.

A page that is too large is asked for again at half the size, down to one row. One row that is still too large is asked
for without its content where the API can leave it out, and else skipped; both are counted. After some good pages the
size grows again, so one long conversation does not slow down the whole read.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from ninefold.traces.langfuse.client import Client, TooLarge
from ninefold.traces.problem import TracesProblem

GROW_AFTER = 8
"""Good pages after which a page that had shrunk doubles again."""
Row = dict[str, Any]
Params = dict[str, Any]


def by_cursor(
    client: Client,
    path: str,
    params: Params,
    limit: int,
    losses: Counter[str],
    *,
    lean: Params | None = None,
    again: Callable[[list[Row]], bool] = lambda page: False,
) -> Iterator[list[Row]]:
    """Pages of a list that goes on from a cursor. `lean`: parameters that leave the content of a row out.

    `again` looks at a page and may change `params`; if it says so, the page is asked for once more.
    """
    size, good, cursor = limit, 0, None
    while True:
        place: Params = {"cursor": cursor} if cursor else {}
        try:
            body = client.get(path, {**params, "limit": size, **place})
        except TooLarge as error:
            if size > 1:
                size, good = size // 2, 0
                continue
            if error.problem is not None or lean is None:
                raise error.problem or _undeliverable(client, path) from None
            body = client.get(path, {**lean, "limit": 1, **place})
            losses["oversized_rows"] += 1
        page = rows_of(body, client, path)
        if again(page):
            continue
        yield page
        following = (body.get("meta") or {}).get("cursor")
        if not following:
            return
        if following == cursor:
            raise TracesProblem("NotLangfuse", f"{client.host} answers {path} with the same cursor for ever")
        cursor, good = following, good + 1
        if good % GROW_AFTER == 0:
            size = min(limit, size * 2)


def by_number(client: Client, path: str, params: Params, limit: int, losses: Counter[str]) -> Iterator[list[Row]]:
    """Pages of a list that is numbered from 1. Sizes are powers of two, so every size has a page at every place."""
    full = size = 1 << (min(limit, 100).bit_length() - 1)
    offset, good = 0, 0
    while True:
        try:
            body = client.get(path, {**params, "limit": size, "page": offset // size + 1})
        except TooLarge as error:
            if size > 1:
                size, good = size // 2, 0
                continue
            if error.problem is not None:
                raise error.problem from None
            losses["oversized_rows"] += 1
            offset += 1
            continue
        rows = rows_of(body, client, path)
        yield rows
        offset, good = offset + size, good + 1
        total = (body.get("meta") or {}).get("totalItems")
        if not rows or (offset >= total if isinstance(total, int) else len(rows) < size):
            return
        if good % GROW_AFTER == 0 and offset % (2 * size) == 0:
            size = min(full, size * 2)


def rows_of(body: Row, client: Client, path: str) -> list[Row]:
    """The objects in `data`."""
    data = body.get("data")
    if not isinstance(data, list):
        raise TracesProblem(
            "NotLangfuse", f"{client.host} answers {path} without a list of data: it is no Langfuse API"
        )
    return [row for row in data if isinstance(row, dict)]


def _undeliverable(client: Client, path: str) -> TracesProblem:
    return TracesProblem("RowTooLarge", f"{client.host} cannot deliver a row of {path}, not even alone")
