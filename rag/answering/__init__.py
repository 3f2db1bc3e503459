"""From a question to a checked answer: what is asked, whether there is evidence, and how the answer is written."""
