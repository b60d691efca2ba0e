"""How single values are written in a file: spans, amounts, targets, moments, conditions."""
