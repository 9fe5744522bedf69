"""Makes edit triplets: writes quadruples, paints pictures, finds what must change, and changes it."""
