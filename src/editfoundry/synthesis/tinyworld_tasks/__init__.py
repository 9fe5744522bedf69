"""True triplets of every task that tinyworld makes, to train and to measure on."""
