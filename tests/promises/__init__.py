"""The promises of the core, tested from outside: real processes of analysis.py on a hostile stand-in of TagoIO."""
