"""Files into abstracts: which formats are read, how each is cleaned, and which abstracts are the same paper."""
