"""What stands between the network and the page: log-in, owners, headers, how many at once."""
