/* pendulum_network: one time step of a recurrent network, as WebAssembly inside this script.

   ltc_np: 0.1.0
   layers: LTC(AutoNCP(units=19, output_size=1, sparsity_level=0.5, seed=22222).build(2))
   sha256: 60a58376ab5817c80e4a97e2e1ca5e9c11d96b60de3b485d90b773ab3f7c7488

   pendulum_network.create() gives a promise of a network with a state of its own:
     reset()             begin a sequence
     step(x, dt)         2 numbers x, the time dt since the step before: a Float32Array of 1 numbers
     state               a Float32Array of 19 numbers, which may be changed */
"use strict";
globalThis.pendulum_network = {
  inputs: 2,
  outputs: 1,
  states: 19,
  async create() {
    const bytes = Uint8Array.from(atob(this.code), (letter) => letter.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes);
    const { memory, network_state, network_x, network_y, network_reset, network_step } = instance.exports;
    const x = new Float32Array(memory.buffer, network_x(), this.inputs);
    const y = new Float32Array(memory.buffer, network_y(), this.outputs);
    network_reset();
    return {
      state: new Float32Array(memory.buffer, network_state(), this.states),
      reset: network_reset,
      step(values, dt = 1) {
        if (values.length !== x.length) {
          throw new RangeError(`x must have ${x.length} numbers, got ${values.length}`);
        }
        if (!(dt >= 0)) {
          throw new RangeError(`dt must be at least 0, got ${dt}`);
        }
        x.set(values);
        network_step(dt);
        return y.slice();
      },
    };
  },
  code:
    "AGFzbQEAAAABFwVgAAF/YAAAYAF9AGABfwBgBH9/fX8AAwgHAAAAAQIDBAUDAQACBggBfwFB8JIECwdRBgZtZW1vcnkCAA1uZXR3b3JrX3N0YXRl" +
    "AAAJbmV0d29ya194AAEJbmV0d29ya195AAINbmV0d29ya19yZXNldAADDG5ldHdvcmtfc3RlcAAECpYLBwgAQZiSgIAACwgAQeSSgIAACwgAQeyS" +
    "gIAACw4AQZiSgIAAEIWAgIAACxwAQZiSgIAAQeSSgIAAIABB7JKAgAAQhoCAgAALSAAgAEEANgJIIABCADcCQCAAQgA3AjggAEIANwIwIABCADcC" +
    "KCAAQgA3AiAgAEIANwIYIABCADcCECAAQgA3AgggAEIANwIAC4MKCQZ/An0BfwF9AX8BfQF/AX0BfyOAgICAAEHwAWsiBCSAgICAACAEIAEqAgBD" +
    "nimQPpRDVlkZPpI4ApgBIAQgASoCBEPpbQI/lEN6CG0+kjgCnAEgBEHMAGohBSAEQZgBaiEGQQAhB0EAIQgDQCAHQQJ0IglB0IiAgABqKgIAIQog" +
    "CUGAiICAAGoqAgAhCwJAIAggB0GgiYCAAGotAAAiDE8NACAIQQJ0IQEDQAJAIAFBwImAgABqKgIAIAYgCEH0iYCAAGotAABBAnRqKgIAIAFBkIqA" +
    "gABqKgIAk5QiDSANjCANQwAAAABdIg4bIg0gDVwNAAJAAkBDAADSwiANQwAAskKWIA1DAADSwl0bIg1DO6q4P5RDAAAAv0MAAAA/IA1DAAAAAF0b" +
    "kiIPi0MAAABPXUUNACAPqCEQDAELQYCAgIB4IRALIA0gELIiD0MAgDG/lJIiESAPQ4OAXjmUIg+SIg0gDSANlCANIA0gDSANQwT2tTqUQ7QTCTyS" +
    "lEM6qyo9kpRDWKoqPpKUQ////z6SlCAPIA0gEZOTkpJDAACAP5IgEEECbUEXdEGAgID8A2q+lCAQQX5tIBBqQRd0QYCAgPwDar6UIQ0LIAFBkIuA" +
    "gABqKgIAIA0gDSANIA1DAACAP5KVIg+Uk0MAAIA/IA+TIA4bIg2UIAqSIQogAUHQioCAAGoqAgAgDZQgC5IhCyABQQRqIQEgDCAIQQFqIghHDQAL" +
    "IAwhCAsgBSAJaiAKOAIAIAQgCWogCzgCACAHQQFqIgdBE0cNAAsgBCACQwAAwECVOALkAUEAIRIDQEEAIQhBACEHA0AgBSAHQQJ0IglqKgIAIQog" +
    "BCAJaioCACELAkAgCCAHQdCLgIAAai0AACIMTw0AIAhBAnQhAQNAAkAgAUHwi4CAAGoqAgAgACAIQbCNgIAAai0AAEECdGoqAgAgAUHgjYCAAGoq" +
    "AgCTlCINIA2MIA1DAAAAAF0iDhsiDSANXA0AAkACQEMAANLCIA1DAACyQpYgDUMAANLCXRsiDUM7qrg/lEMAAAC/QwAAAD8gDUMAAAAAXRuSIg+L" +
    "QwAAAE9dRQ0AIA+oIRAMAQtBgICAgHghEAsgDSAQsiIPQwCAMb+UkiIRIA9Dg4BeOZQiD5IiDSANIA2UIA0gDSANIA1DBPa1OpRDtBMJPJKUQzqr" +
    "Kj2SlENYqio+kpRD////PpKUIA8gDSARk5OSkkMAAIA/kiAQQQJtQRd0QYCAgPwDar6UIBBBfm0gEGpBF3RBgICA/ANqvpQhDQsgAUHgkICAAGoq" +
    "AgAgDSANIA0gDUMAAIA/kpUiD5STQwAAgD8gD5MgDhsiDZQgCpIhCiABQaCPgIAAaioCACANlCALkiELIAFBBGohASAMIAhBAWoiCEcNAAsgDCEI" +
    "CyAGIAlqIAsgCiAAIAlqKgIAIg2UkyAEKgLkASILIAsgCpRDAACAP5KVlCANkjgCACAHQQFqIgdBE0cNAAsgACAEKgKYASINOAIAIAAgBCkCnAE3" +
    "AgQgACAEKQKkATcCDCAAIAQpAqwBNwIUIAAgBCkCtAE3AhwgACAEKQK8ATcCJCAAIAQpAsQBNwIsIAAgBCkCzAE3AjQgACAEKgLUATgCPCAAIAQq" +
    "AtgBOAJAIAAgBCkC3AE3AkQgEkEBaiISQQZHDQALIAMgDUMm+d8/lEMdETm9kjgCACAEQfABaiSAgICAAAsLoAoBAEGACAuYCqramT/aJwE4FkEj" +
    "vfW6Bj+acsc/ylYKQHFCvkBdJG5BbwD8PT56bD9pQddAUkMivD+bd0K8/Yi97pKCuztWTMP+DvRCovacQ8sFy70AAAAArhzZQQmTljyfb2I+C0YU" +
    "QEne/EHoLB9BAlRJQpjeNUKQm5I+QqYFQd9WMUIWmPM/HzrDQzWtqz6Y5gI9qvduRLKP3EMTx5REppUFPwAAAAAAAAAAAAAAAAECAwQFBwgKCwwN" +
    "AAAAAAAAAAAAAAAAABgvekD/60xAGPdcQP5KskC02aNAlCm8QAzPhUCu4N9A3hmmQAKstkAD9ZpA9t6tQOWlB0EBAAEAAQABAAABAQEAAAAAAAAA" +
    "AAAAAAAAAAAAyKpEP2ZDqD7/Ues83VeRPr+T9T28vo4/2v+0Pv496z7Ym0c/YPlSPw6UMT8cfRs/0BQEQAAAAAAAAAAAAAAAAL2WoL6E4EFBll3H" +
    "Qt1UJsDqzCFE8l2QvpQmKT9xEIS+/KaGRAQftUTxV77Dg/kExd0t4jwAAAAAAAAAAAAAAABTMZ4+5kAVQfD3hkI4NA5AZv8URF5Glz7FTxY/H65I" +
    "Pi6lgER3vZhEoXCkQ+rQw0RsspA+AAAAAAAAAAAAAAAABwkOFBghJi4uLi4uLi4uLi4uLgAAAAAAAAAAAAAAAACPz8RAN1D4QLsZ70Dq05lAzCqU" +
    "QLqC/EAeqvlARuO/QIlxkkDKHwVBL/+vQN0CSEAYbPFAQ2DrQKRd60CfHgBBj7ERQYXD+EAsBuJA6USIQBTYckDJ08xAQiTRQI/QakB+U45AH6Ll" +
    "QN2tsEAqEMJAX2KFQPWttUDlaqpAzwhsQLb/AEGDT75Ax4t5QA4J6kDsVPlAlMXmQFwfp0BH7opA83bPQHRQiEA7csdAKO7IQObkB0HMYk5AAAAA" +
    "AAAAAAABAgMEBQYHCAsKCwwNEgEFCg8QEggJDhEBCAwNDg8QERIEBQkODwUJCgsMDRARAACwwcY/kGAPPa0FAz9XTxM/rCenPlTWwz4YbAU/405V" +
    "PxkB2j45lD4/MdbRP8leuD7QNFc+IB1OP4Ac1j/T2g0/IY8WP5hf7j+E5TU+nGUEP22fRT8QCRA/ONo3Pxu8Xj5XQGE9FvwKPmosKT9WDgI/YpQ4" +
    "P916FT+bTms+9auBP/kZIj/2Oew+hwabPgp28T4A5cQ9TEkMQD2ptT987VA/KPhCPzzDYL348zE/5XksPpU3mD/ZG6o+AAAAAAAAAAC6rDlBcXyU" +
    "QvabosLFkx5C1QKSwnLOrEK/vMXCl3IfPuSokr5wH5++NfATPpxdhj5tduu+HNZYvvS45T4ditLAEo+WwWLc9T5fwEJBEYUtQUrWr0JACb5CUkyV" +
    "QpVs6MKHawtCsgvbwW+4kME1/ZZBc4s/wU/c+8HKLqFBPyHPwA8vhkGhhAJEN+uyw65kLEO/+8NDpryyQmsEWsHn8iTDAgKewyHoJURq2ZvDw/Kz" +
    "Q/R8SsLFs7xDAAAAAAAAAAAyyh9CGr9hQkc6uUIp7TZCmipaQjyuYkJxIZBCj7EJPkPQSD47FJQ+90qEPueclz4AAq4+aLybPobSmkBvauNAQiJB" +
    "QTHEO0Bjhv5AHnz+QPS1p0JL56xC1kODQpAhs0LhnadBSg6WQVt5iUH0C2tBsqdmQVQ4oEH0AZhB6wUNQRV1fEHzsaFDQ+yRQ+AFE0M0l5FDC1bD" +
    "QjYJCUPWhRdDR4OKQw4St0OWs4NDXJNxQwaOy0IAF4lD",
};
