"""The compare tab: the papers of an answer side by side."""
