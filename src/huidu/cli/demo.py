"""`huidu demo`: the whole story on this machine."""
