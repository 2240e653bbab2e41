"""The engine as this process meets it: what its events have told, and the way of commands to it."""

from exchange.contracts.errors import unavailable
from exchange.log.gateway import CommandGateway
from services.order.view.model import AccountView

__all__ = ["EngineLink"]


class EngineLink:
    """One object, made before the service has started: whoever holds it sees what the start brings.

    `view` is empty until the service has started; then it follows the event log and is never exchanged
    again. The gateway comes at the same moment, so having one is what "started" means.
    """

    __slots__ = ("_gateway", "view")

    def __init__(self) -> None:
        self.view = AccountView()
        self._gateway: CommandGateway | None = None

    def connect(self, view: AccountView, gateway: CommandGateway) -> None:
        """The service has started: the view has caught up with the log, commands can be sent."""
        self.view, self._gateway = view, gateway

    @property
    def is_started(self) -> bool:
        """Whether there is anything to answer from: before that, no answer would be true."""
        return self._gateway is not None

    @property
    def gateway(self) -> CommandGateway:
        """What sends commands. Raises ApiError -1001 before the start."""
        if self._gateway is None:
            raise unavailable()
        return self._gateway
