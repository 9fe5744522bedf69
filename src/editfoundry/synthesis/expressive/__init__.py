"""Expressive instructions: a vision-language model says what each edit will look like (MGIE, section 3.1)."""
