"""The demo: orders of a garment maker, replayed as real saves, and their plans."""
