"""Evidence packs: what the store can show about sites over some time, sealed so that a stranger can check it."""
