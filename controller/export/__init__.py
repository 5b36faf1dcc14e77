"""Events and episodes for other systems: the forms that they read, a spool on the disk for each, and the way there."""
