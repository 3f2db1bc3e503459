"""The papers as they are stored: in Chroma, and derived from it a paper store and a lexical index."""
