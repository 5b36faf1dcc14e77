"""The ground floor: clock, secrets, errors, ids, network values. Knows no firewall and no source."""
