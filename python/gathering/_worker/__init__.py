"""The worker: runs one plugin in a process of its own and answers the host over a pair of pipes."""
