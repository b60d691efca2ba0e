"""From files to a checked scenario: shapes, references, lints; and back to a locked text."""
