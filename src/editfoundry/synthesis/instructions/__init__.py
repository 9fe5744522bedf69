"""InstructPix2Pix's text stage (its section 3.1): of captions, a language model makes instructions and captions after.

It is fine-tuned on a few hundred rows to write them in a certain format; that is here, too.
"""
