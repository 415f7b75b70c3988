"""What a channel is told, when and how often."""
