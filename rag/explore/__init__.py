"""A library and its papers beside an answer: comparisons, suggestions, and the map with its topics."""
