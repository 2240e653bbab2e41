"""Orders: two doors, the decisions about a request, the view, and user data streams."""
