"""The only place where intelligence meets firewalls: policy, plans, runs, detection, reports, the store."""
