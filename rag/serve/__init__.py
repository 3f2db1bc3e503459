"""Footnote as an OpenAI-compatible server, for other chat clients to sit on top."""
