"""Files into the library: embedded, written, kept in step, and embedded again."""
