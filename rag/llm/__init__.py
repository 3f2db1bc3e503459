"""The language model on its server: prompts, requests, faults, cost and cache."""
