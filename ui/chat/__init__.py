"""The chat tab: a question is asked, its answer is drawn, with its evidence beside it."""
