"""Journals of other machines: what is sent, how it is acknowledged, and the mirrors they become here."""
