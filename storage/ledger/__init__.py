"""What was heard about mail becomes rows, counts and news, in one transaction."""
