"""Pages behind signed links, for people without an account."""
