"""Bugs that are planted one at a time; `mutations` has them all. A check that sees none of one is none."""
