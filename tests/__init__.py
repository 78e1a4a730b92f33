"""The test suite; run it with `./dev test`."""
