"""The faces of the history: pages, single rows, and corrections that make a row a reference."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query

from huidu.ports import History
from huidu.recognition.schemas import Correction, HistoryItem, HistoryPage, history_item

_YEAR_9999 = 253_402_300_799
_RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def history_routes(history: History, clock: Callable[[], float] = time.time) -> APIRouter:
    """Plain functions: FastAPI runs them in its threads, so that the store never holds up the event loop."""
    routes = APIRouter(prefix="/api/v1/history", tags=["history"])

    @routes.get("")
    def page(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[float | None, Query(ge=0, le=_YEAR_9999, allow_inf_nan=False)] = None,
        version: Annotated[str | None, Query(max_length=64)] = None,
        purpose: Annotated[str | None, Query(pattern="^(live|golden|probe|warming)$")] = None,
    ) -> HistoryPage:
        """Recognitions, newest first, created before `before` (epoch seconds)."""
        rows = history.page(limit, before, version, purpose)
        return HistoryPage(
            items=[history_item(row) for row in rows],
            next_before=rows[-1].created_time if len(rows) == limit else None,
        )

    @routes.get("/{row_id}")
    def show(row_id: _RowId) -> HistoryItem:
        return history_item(history.get(row_id))

    @routes.patch("/{row_id}")
    def correct(row_id: _RowId, correction: Correction) -> HistoryItem:
        """Makes the corrected text the reference of this recognition."""
        return history_item(history.correct(row_id, correction.corrected_text, correction.corrected_by, clock()))

    return routes
