"""The routes below /v1, and the bodies that they take and give."""
