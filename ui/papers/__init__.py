"""The papers tab: a table of the library, and a page for each paper."""
