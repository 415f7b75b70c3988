"""*View details*: a campaign's pieces as a list and as a file."""
