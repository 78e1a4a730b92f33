"""`./dev lint`: the gates a change passes before anybody reads it. Their rules lie beside the code here."""
