"""Browsers' connections on AWS: their register in DynamoDB, and API Gateway, which holds the sockets."""

from typing import Final

from exchange.adapters.aws.calls import AwsCalls, status_of
from exchange.ports.messages import CONNECTIONS_OF_OWNER_MAX, MessageError

__all__ = ["ApiGatewayPusher", "DynamoConnections"]

_BY_OWNER: Final = "by_owner"
_GONE: Final = 410


class DynamoConnections:
    """A table with the key `connection_id`, the index `by_owner` of `owner`, and TTL on `expires_at_s`."""

    def __init__(self, table: str, deadline_ms: int, endpoint_url: str | None = None) -> None:
        self._table = table
        self._dynamo = AwsCalls(
            "dynamodb", deadline_ms=deadline_ms, failure=MessageError, endpoint_url=endpoint_url
        )

    async def add(self, connection_id: str, owner: str, expires_at_s: int) -> None:
        """Write the row; a repeat writes it again."""
        item = {
            "connection_id": {"S": connection_id},
            "owner": {"S": owner},
            "expires_at_s": {"N": str(expires_at_s)},
        }
        await self._dynamo.call("add", lambda dynamo: dynamo.put_item(TableName=self._table, Item=item))

    async def remove(self, connection_id: str) -> None:
        """Delete the row, if it is there."""
        key = {"connection_id": {"S": connection_id}}
        await self._dynamo.call("remove", lambda dynamo: dynamo.delete_item(TableName=self._table, Key=key))

    async def of_owner(self, owner: str) -> list[str]:
        """Ask the index, which may lag a moment behind the table."""
        answer = await self._dynamo.call(
            "of owner",
            lambda dynamo: dynamo.query(
                TableName=self._table,
                IndexName=_BY_OWNER,
                # By another name: "owner" is one of DynamoDB's own words.
                KeyConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": owner}},
                Limit=CONNECTIONS_OF_OWNER_MAX,
            ),
        )
        return [item["connection_id"]["S"] for item in answer.get("Items", ())]

    async def close(self) -> None:
        """Let go of the threads."""
        await self._dynamo.close()


class ApiGatewayPusher:
    """The management API of a WebSocket API: `management_url` is https://…/<stage>."""

    def __init__(self, management_url: str, deadline_ms: int) -> None:
        self._api = AwsCalls(
            "apigatewaymanagementapi",
            deadline_ms=deadline_ms,
            failure=MessageError,
            endpoint_url=management_url,
        )

    async def push(self, connection_id: str, body: str) -> bool:
        """Post to one connection; False on 410 Gone. Raises MessageError."""
        try:
            await self._api.call(
                "push",
                lambda api: api.post_to_connection(ConnectionId=connection_id, Data=body.encode()),
            )
        except MessageError as error:
            if status_of(error) == _GONE:
                return False
            raise
        return True

    async def close(self) -> None:
        """Let go of the threads."""
        await self._api.close()
