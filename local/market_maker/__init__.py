"""A bot that keeps a fresh exchange alive, and the account through which it trades."""
