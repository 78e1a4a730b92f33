"""The life of a plan: starting, following its document, amending, moving to a version, ending."""
