"""What every test process sets before torch is imported."""

import os

# Workers share the cores: a pool of threads in each only makes them wait, and sums depend on the number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
