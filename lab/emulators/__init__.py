"""Firewalls that are not here: each vendor's command line, strict, with state, behind a real SSH server.

An emulator is written from the vendor's facts alone and shares no code with the adapter that it tests. It refuses every
line that the facts do not allow, with the vendor's own text; what no source could confirm is a switch of the device.
"""
