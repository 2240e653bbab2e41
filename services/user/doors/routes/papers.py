"""Routes for an account's papers: reports of a time as CSV, and the statement of a month."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Response
from fastapi import Query as QueryParameters
from pydantic import Field

from services.user.doors.problems import ProblemError
from services.user.doors.routes.dependencies import Service, SignedIn
from services.user.doors.routes.schemas import Query, Sent
from services.user.money import papers
from services.user.money.statement_pdf import pdf_of
from services.user.tables.reports import Span

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")
# Rows of one file: some megabytes. Who has more asks for a shorter time.
ROWS_MAX: Final = 20_000
_TIME_MS_MAX: Final = 2**53


class _ReportQuery(Query):
    from_ms: int = Field(alias="from", ge=0, le=_TIME_MS_MAX)
    to_ms: int = Field(alias="to", ge=0, le=_TIME_MS_MAX)


class _StatementQuery(Query):
    format: Literal["json", "csv", "pdf"] = "json"


class StatementLineShown(Sent):
    """One asset's month: `opening` and all `movements` add up to `closing`."""

    asset: str
    opening: str
    movements: dict[str, str]
    closing: str


class StatementShown(Sent):
    """A month, in UTC."""

    month: str
    lines: list[StatementLineShown]


@router.get("/reports/{kind}", response_class=Response)
async def report(
    kind: Literal["orders", "fills", "ledger"],
    query: Annotated[_ReportQuery, QueryParameters()],
    service: Service,
    session: SignedIn,
) -> Response:
    """Orders, fills or ledger of all markets from `from` to `to` (milliseconds, exclusive) as CSV."""
    span = Span(query.from_ms, query.to_ms)
    await service.transfers.settle(session.user_id)
    if kind == "orders":
        rows = await service.reports.orders(session.user_id, span, ROWS_MAX + 1)
        table = papers.order_table(rows[:ROWS_MAX])
    elif kind == "fills":
        rows = await service.reports.fills(session.user_id, span, ROWS_MAX + 1)
        table = papers.fill_table(rows[:ROWS_MAX])
    else:
        rows = await service.reports.entries(session.user_id, span, ROWS_MAX + 1)
        table = papers.entry_table(rows[:ROWS_MAX])
    if len(rows) > ROWS_MAX:
        raise ProblemError("too-many-rows", f"There are more than {ROWS_MAX} rows; ask for a shorter time.")
    return _file(papers.csv_of(table), "text/csv; charset=utf-8", f"{kind}.csv")


@router.get("/statements/{month}", response_model=StatementShown)
async def statement(
    month: Annotated[str, Path(pattern=papers.MONTH_PATTERN)],
    query: Annotated[_StatementQuery, QueryParameters()],
    service: Service,
    session: SignedIn,
) -> Response | StatementShown:
    """The statement of a month (UTC), as JSON, CSV or PDF; it adds up to the ledger."""
    await service.transfers.settle(session.user_id)
    before, within = await service.reports.sums(session.user_id, papers.month_span(month))
    user = await service.accounts.user(session.user_id)
    made = papers.statement_of(month, "" if user is None else user.email, before, within)
    if query.format == "csv":
        return _file(papers.csv_of(made.table()), "text/csv; charset=utf-8", f"statement-{month}.csv")
    if query.format == "pdf":
        return _file(pdf_of(made), "application/pdf", f"statement-{month}.pdf")
    return StatementShown.model_validate(made.document())


def _file(body: bytes, media_type: str, name: str) -> Response:
    return Response(
        body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
