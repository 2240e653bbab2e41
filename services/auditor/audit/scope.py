"""What the parts of the audit share while one outcome is applied. Pure."""

from services.auditor.audit.state import AuditState, Balance, Breach, Market, Order

__all__ = ["AuditScope"]


class AuditScope:
    """The state, and of the outcome under way: what it breaks and what it has touched."""

    def __init__(self, state: AuditState) -> None:
        self.state = state
        self.seq = 0
        self.breaches: list[Breach] = []
        self.touched: list[Balance] = []
        self.accepted: list[Order] = []
        # Icebergs whose shown part is used up, until they show more.
        self.hidden: dict[int, Order] = {}
        # Whose books have changed; one may stand here more than once.
        self.markets: list[Market] = []
        # What working orders of OPOs have bought that nothing keeps yet, by list: (base atoms, their fee).
        self.bought: dict[int, tuple[int, int]] = {}

    def breach(self, invariant: str, detail: str) -> None:
        """Note a broken promise of the event under way."""
        self.breaches.append(Breach(self.seq, invariant, detail))
