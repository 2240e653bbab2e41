"""What follows the log and nobody waits for, in a process of its own (ADR 0059)."""
