"""The resource types of our templates, by what they are for."""
