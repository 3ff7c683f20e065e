"""Many seeds: their statistics, their store, and the processes that train them."""
