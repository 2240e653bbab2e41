"""The two doors, REST and the WebSocket API: from bytes on a socket to a call, and back."""
