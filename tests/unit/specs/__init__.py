"""Keep the documents true: what they state in tables, examples and ids equals the code."""
