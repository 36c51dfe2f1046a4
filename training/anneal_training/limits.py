"""How much of the machine a program may take."""

import os


def limit_threads(threads: int) -> None:
    """To be called before any library that computes is loaded. Nothing is fetched from the network either."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Threads that wait without spinning: beside other work, two spinning ones are many times slower than one.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.update(TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
