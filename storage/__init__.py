"""Memory: rows, and the words for what they mean. Imports nothing from the other folders."""
