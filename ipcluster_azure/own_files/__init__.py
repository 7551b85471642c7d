"""The user's own modules and files: which of them the engines get, and what is sent of them."""
