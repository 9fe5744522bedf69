"""What families that learn from captioned pictures share: the pictures, and the masks that training draws on them."""
