"""Block proof: what really passes, by the firewalls' own word and by a probe from inside."""
