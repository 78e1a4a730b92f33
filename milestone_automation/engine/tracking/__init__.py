"""What is tracked, and recording it."""
