"""Lunsformter, the companion package of the course."""
