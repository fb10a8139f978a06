"""The convolution of a state space is a matter of NumPy's FFT, on the CPU too."""

from ..numpy.ssm_fft import StateSpace as StateSpace
from ..numpy.ssm_fft import backward as backward
from ..numpy.ssm_fft import forward as forward
from ..numpy.ssm_fft import regular as regular
