"""What a training has measured."""


class History(dict):
    """What `fit` measured: name -> list with one value an epoch (``val_*``: an epoch of validation).

    Attributes
    ----------
    epoch : list of int
        Epochs done, from 0.
    val_epoch : list of int
        Epochs after which validation ran.
    best_epoch : int or None
        Epoch of the smallest ``val_loss``, whose weights the model has if ``keep_best``.
    stopped : str
        Why training ended.
    seconds : float
    """

    def __init__(self):
        super().__init__()
        self.epoch, self.val_epoch = [], []
        self.best_epoch, self.stopped, self.seconds = None, "", 0.0

    def add(self, epoch, logs):
        """Append the logs of one epoch."""
        self.epoch.append(epoch)
        if "val_loss" in logs:
            self.val_epoch.append(epoch)
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def __repr__(self):
        last = "  ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"<History: {len(self.epoch)} epochs, {self.seconds:.1f} s, {self.stopped}; last {last}>"
