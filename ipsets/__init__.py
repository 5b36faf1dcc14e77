"""Intelligence: sources, catalogue, guards and snapshots. Knows what TikTok is, and no firewall."""
