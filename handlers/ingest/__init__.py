"""What comes in: the account's reports, webhook calls, and what is counted of them."""
