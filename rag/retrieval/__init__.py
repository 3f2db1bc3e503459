"""From a question to ranked papers: signals, fusion, spelling, other searches for the same."""
