"""The markers [n] of a model's answer: how they are written, and how they are read from a stream; pure."""
