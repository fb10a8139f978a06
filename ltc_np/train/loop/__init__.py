"""What a training does, epoch by epoch and step by step, and what it shows meanwhile."""
