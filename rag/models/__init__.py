"""The models that run on this machine: embeddings, late interaction, and entailment."""
