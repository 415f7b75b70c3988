"""`/mailstatus`: where a campaign's pieces, or the account's, stand."""
