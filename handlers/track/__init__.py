"""`/mailtrack`: one piece and its dated scans."""
