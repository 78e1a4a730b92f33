"""Pure rules over plain values: dates, working days, schedule, health. No site."""
