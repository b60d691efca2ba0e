"""A run told in sentences, from its trace alone."""
