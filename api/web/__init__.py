"""The web pages: rendered here, with nothing from elsewhere."""
