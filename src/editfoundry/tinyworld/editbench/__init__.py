"""tinyworld's own EditBench: holes in pictures, what is asked into them, and what an edit has painted there."""
