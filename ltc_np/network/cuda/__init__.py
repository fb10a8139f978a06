"""The engine of a card: stacks of the layers that run there, arrays that lie there, training that stays there."""
