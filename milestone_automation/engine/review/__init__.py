"""Numbers for managers: reports, forecast, event log out. Reads only; only the doors import it."""
