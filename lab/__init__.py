"""A fleet on this machine: real Linux firewalls in network namespaces, an internet for them, and the demo.

Imports nothing of tokgate but ``core``: what is proven here is proven from outside.
"""
