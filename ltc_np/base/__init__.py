"""The ground floor: what every other room stands on.  It needs NumPy only and knows no layer."""
