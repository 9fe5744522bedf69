"""The field's benchmarks, read from local folders of their official layouts."""
