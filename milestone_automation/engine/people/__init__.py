"""Who: rights, assignees, to-dos, signed links."""
