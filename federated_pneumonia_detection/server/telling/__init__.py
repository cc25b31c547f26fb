"""Tells people: rules over runs, what fires, and the targets that hear of it."""
