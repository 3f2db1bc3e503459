"""What can be read off the wording of an abstract or a question, without any model; pure."""
