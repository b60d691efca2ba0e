"""What is seen of a run: committed facts, engine truth, marks, the tree of conditions."""
