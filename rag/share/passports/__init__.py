"""Evidence passports: an answer and all that is needed to check it, as one page that can be given away."""
