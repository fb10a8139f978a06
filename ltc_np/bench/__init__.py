"""``python -m ltc_np bench``: how fast the standard cases run, against the limit of the machine and beside peers."""
