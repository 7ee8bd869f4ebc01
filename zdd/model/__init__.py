"""The nouns of a deployment, as frozen values. Nothing here does I/O, and nothing here knows another layer."""
