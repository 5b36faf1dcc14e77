"""The command line: nouns, then verbs; one file per noun. Each asks the facade and shows the answer; none decides."""
