"""Test plumbing: sites, servers, browsers, mail. Tests import nothing from each other; they use these fixtures."""
