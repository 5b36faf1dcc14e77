"""Sites and devices from elsewhere: read from a source, and merged into what people wrote."""
