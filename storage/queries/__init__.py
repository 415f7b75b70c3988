"""What can be asked of the memory. Reads only."""
