"""What is unusual in the events: bands around what is usual, and alarms (ADR 0057)."""
