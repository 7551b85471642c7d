"""ARM templates: their language, and what a template with parameters asks for."""
