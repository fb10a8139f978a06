"""The data of a training: as they are given, checked, cut into batches, drawn epoch by epoch."""
