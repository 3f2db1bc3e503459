"""The commands that the chat adds to `footnote`: ui and user."""
