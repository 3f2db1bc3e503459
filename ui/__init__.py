"""The chat: Gradio on top of the public names of rag."""

import os

# Read by gradio while it is imported: no usage figures and no question after a newer version go out, and no
# statistics of events are kept (they load pandas and are made anew after every event).
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**62)
