"""How good the answers and the ranking are: metrics, runs of question files and BEIR folders, and comparisons."""
