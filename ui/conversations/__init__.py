"""Conversations as they are kept, listed, exported and downloaded."""
