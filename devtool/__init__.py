"""The developer's tool behind `./dev`. Never part of the installed app; standard library only."""
