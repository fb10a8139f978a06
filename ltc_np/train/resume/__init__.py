"""Trainings that are resumed: where one is, what a checkpoint says of it, and the folder of its checkpoints."""
