"""`make scale`: what a thousand workspaces would need, from the cost of each thing, measured with four processes."""
