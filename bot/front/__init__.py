"""Where everything arrives: connections, routes, Slack's requests, installations."""
