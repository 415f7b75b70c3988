"""What every decision is given: the ports, the database, the asker, and how they are answered."""
