"""What Slack can be asked and told: its Web API, tokens, addresses, and the app's manifest."""
