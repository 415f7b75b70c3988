"""What other programs in Slack ask for, and mentions."""
