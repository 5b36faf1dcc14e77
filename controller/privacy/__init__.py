"""What is told of clients wherever something leaves: shown, under a pseudonym, or not at all."""
