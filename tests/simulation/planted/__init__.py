"""Break one rule of the product at a time, to prove that the checkers notice. Never part of the product."""
