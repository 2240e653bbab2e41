"""The real servers, each from a Python wheel as an ordinary child process.

Every module has ``async def start(...)`` that returns a server with its address and ``stop()``. Servers
listen on 127.0.0.1 only, keep their state below the data folder, and survive a `kill -9` of the caller:
the children end with it, and the next start on the same folder clears what is left.
"""

from local.servers.errors import ServerError
from local.servers.ports import free_port
from local.servers.process import ManagedProcess

__all__ = ["ManagedProcess", "ServerError", "free_port"]
