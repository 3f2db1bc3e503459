"""Text of others as safe HTML."""
