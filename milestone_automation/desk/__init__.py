"""What the Desk asks. Every public call is in `api.py`, which hands it on."""
