"""Reports: made of values (``making``), asked for by ranges of time, and laid out in several forms (``as_…``)."""
