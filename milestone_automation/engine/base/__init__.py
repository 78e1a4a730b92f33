"""What every wing needs: faults, time, values, languages, bulk writes, differences of Frappe versions."""
