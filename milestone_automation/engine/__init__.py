"""The engine: it decides and acts. Doors (`api`, `desk`, `links`, hooks) call it, never the other way."""
