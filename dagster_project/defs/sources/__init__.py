"""What goes into the foundry: captions and the quadruples written from them."""
