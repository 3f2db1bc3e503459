"""The chat: Gradio on top of the public names of rag."""
