"""What decides and acts. One job a module; what can be pure takes plain values and needs no site."""
