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
    const { memory, states, inputs, outputs, begin, step } = instance.exports;
    const x = new Float32Array(memory.buffer, inputs(), this.inputs);
    const y = new Float32Array(memory.buffer, outputs(), this.outputs);
    begin();
    return {
      state: new Float32Array(memory.buffer, states(), this.states),
      reset: begin,
      step(values, dt = 1) {
        if (values.length !== x.length) {
          throw new RangeError(`x must have ${x.length} numbers, got ${values.length}`);
        }
        if (!(dt >= 0)) {
          throw new RangeError(`dt must be at least 0, got ${dt}`);
        }
        x.set(values);
        step(dt);
        return y.slice();
      },
    };
  },
  code:
    "AGFzbQEAAAABFwVgAAF/YAAAYAF9AGABfwBgBH9/fX8AAwgHAAAAAQIDBAUDAQACBggBfwFB8JIECwc1BgZtZW1vcnkCAAZzdGF0ZXMAAAZpbnB1" +
    "dHMAAQdvdXRwdXRzAAIFYmVnaW4AAwRzdGVwAAQKlgsHCABBmJKAgAALCABB5JKAgAALCABB7JKAgAALDgBBmJKAgAAQhYCAgAALHABBmJKAgABB" +
    "5JKAgAAgAEHskoCAABCGgICAAAtIACAAQQA2AkggAEIANwJAIABCADcCOCAAQgA3AjAgAEIANwIoIABCADcCICAAQgA3AhggAEIANwIQIABCADcC" +
    "CCAAQgA3AgALgwoJBn8CfQF/AX0BfwF9AX8BfQF/I4CAgIAAQfABayIEJICAgIAAIAQgASoCAEOeKZA+lENWWRk+kjgCmAEgBCABKgIEQ+ltAj+U" +
    "Q3oIbT6SOAKcASAEQcwAaiEFIARBmAFqIQZBACEHQQAhCANAIAdBAnQiCUHQiICAAGoqAgAhCiAJQYCIgIAAaioCACELAkAgCCAHQaCJgIAAai0A" +
    "ACIMTw0AIAhBAnQhAQNAAkAgAUHAiYCAAGoqAgAgBiAIQfSJgIAAai0AAEECdGoqAgAgAUGQioCAAGoqAgCTlCINIA2MIA1DAAAAAF0iDhsiDSAN" +
    "XA0AAkACQEMAANLCIA1DAACyQpYgDUMAANLCXRsiDUM7qrg/lEMAAAC/QwAAAD8gDUMAAAAAXRuSIg+LQwAAAE9dRQ0AIA+oIRAMAQtBgICAgHgh" +
    "EAsgDSAQsiIPQwCAMb+UkiIRIA9Dg4BeOZQiD5IiDSANIA2UIA0gDSANIA1DBPa1OpRDtBMJPJKUQzqrKj2SlENYqio+kpRD////PpKUIA8gDSAR" +
    "k5OSkkMAAIA/kiAQQQJtQRd0QYCAgPwDar6UIBBBfm0gEGpBF3RBgICA/ANqvpQhDQsgAUGQi4CAAGoqAgAgDSANIA0gDUMAAIA/kpUiD5STQwAA" +
    "gD8gD5MgDhsiDZQgCpIhCiABQdCKgIAAaioCACANlCALkiELIAFBBGohASAMIAhBAWoiCEcNAAsgDCEICyAFIAlqIAo4AgAgBCAJaiALOAIAIAdB" +
    "AWoiB0ETRw0ACyAEIAJDAADAQJU4AuQBQQAhEgNAQQAhCEEAIQcDQCAFIAdBAnQiCWoqAgAhCiAEIAlqKgIAIQsCQCAIIAdB0IuAgABqLQAAIgxP" +
    "DQAgCEECdCEBA0ACQCABQfCLgIAAaioCACAAIAhBsI2AgABqLQAAQQJ0aioCACABQeCNgIAAaioCAJOUIg0gDYwgDUMAAAAAXSIOGyINIA1cDQAC" +
    "QAJAQwAA0sIgDUMAALJCliANQwAA0sJdGyINQzuquD+UQwAAAL9DAAAAPyANQwAAAABdG5IiD4tDAAAAT11FDQAgD6ghEAwBC0GAgICAeCEQCyAN" +
    "IBCyIg9DAIAxv5SSIhEgD0ODgF45lCIPkiINIA0gDZQgDSANIA0gDUME9rU6lEO0Ewk8kpRDOqsqPZKUQ1iqKj6SlEP///8+kpQgDyANIBGTk5KS" +
    "QwAAgD+SIBBBAm1BF3RBgICA/ANqvpQgEEF+bSAQakEXdEGAgID8A2q+lCENCyABQeCQgIAAaioCACANIA0gDSANQwAAgD+SlSIPlJNDAACAPyAP" +
    "kyAOGyINlCAKkiEKIAFBoI+AgABqKgIAIA2UIAuSIQsgAUEEaiEBIAwgCEEBaiIIRw0ACyAMIQgLIAYgCWogCyAKIAAgCWoqAgAiDZSTIAQqAuQB" +
    "IgsgCyAKlEMAAIA/kpWUIA2SOAIAIAdBAWoiB0ETRw0ACyAAIAQqApgBIg04AgAgACAEKQKcATcCBCAAIAQpAqQBNwIMIAAgBCkCrAE3AhQgACAE" +
    "KQK0ATcCHCAAIAQpArwBNwIkIAAgBCkCxAE3AiwgACAEKQLMATcCNCAAIAQqAtQBOAI8IAAgBCoC2AE4AkAgACAEKQLcATcCRCASQQFqIhJBBkcN" +
    "AAsgAyANQyb53z+UQx0ROb2SOAIAIARB8AFqJICAgIAACwugCgEAQYAIC5gKqtqZP9onATgWQSO99boGP5pyxz/KVgpAcUK+QF0kbkFvAPw9Pnps" +
    "P2lB10BSQyK8P5t3Qrz9iL3ukoK7O1ZMw/4O9EKi9pxDywXLvQAAAACuHNlBCZOWPJ9vYj4LRhRASd78QegsH0ECVElCmN41QpCbkj5CpgVB31Yx" +
    "QhaY8z8fOsNDNa2rPpjmAj2q925Eso/cQxPHlESmlQU/AAAAAAAAAAAAAAAAAQIDBAUHCAoLDA0AAAAAAAAAAAAAAAAAGC96QP/rTEAY91xA/kqy" +
    "QLTZo0CUKbxADM+FQK7g30DeGaZAAqy2QAP1mkD23q1A5aUHQQEAAQABAAEAAAEBAQAAAAAAAAAAAAAAAAAAAADIqkQ/ZkOoPv9R6zzdV5E+v5P1" +
    "Pby+jj/a/7Q+/j3rPtibRz9g+VI/DpQxPxx9Gz/QFARAAAAAAAAAAAAAAAAAvZagvoTgQUGWXcdC3VQmwOrMIUTyXZC+lCYpP3EQhL78poZEBB+1" +
    "RPFXvsOD+QTF3S3iPAAAAAAAAAAAAAAAAFMxnj7mQBVB8PeGQjg0DkBm/xREXkaXPsVPFj8frkg+LqWARHe9mEShcKRD6tDDRGyykD4AAAAAAAAA" +
    "AAAAAAAHCQ4UGCEmLi4uLi4uLi4uLi4uAAAAAAAAAAAAAAAAAI/PxEA3UPhAuxnvQOrTmUDMKpRAuoL8QB6q+UBG479AiXGSQMofBUEv/69A3QJI" +
    "QBhs8UBDYOtApF3rQJ8eAEGPsRFBhcP4QCwG4kDpRIhAFNhyQMnTzEBCJNFAj9BqQH5TjkAfouVA3a2wQCoQwkBfYoVA9a21QOVqqkDPCGxAtv8A" +
    "QYNPvkDHi3lADgnqQOxU+UCUxeZAXB+nQEfuikDzds9AdFCIQDtyx0Ao7shA5uQHQcxiTkAAAAAAAAAAAAECAwQFBgcICwoLDA0SAQUKDxASCAkO" +
    "EQEIDA0ODxAREgQFCQ4PBQkKCwwNEBEAALDBxj+QYA89rQUDP1dPEz+sJ6c+VNbDPhhsBT/jTlU/GQHaPjmUPj8x1tE/yV64PtA0Vz4gHU4/gBzW" +
    "P9PaDT8hjxY/mF/uP4TlNT6cZQQ/bZ9FPxAJED842jc/G7xePldAYT0W/Ao+aiwpP1YOAj9ilDg/3XoVP5tOaz71q4E/+RkiP/Y57D6HBps+Cnbx" +
    "PgDlxD1MSQxAPam1P3ztUD8o+EI/PMNgvfjzMT/leSw+lTeYP9kbqj4AAAAAAAAAALqsOUFxfJRC9puiwsWTHkLVApLCcs6sQr+8xcKXch8+5KiS" +
    "vnAfn7418BM+nF2GPm12674c1li+9LjlPh2K0sASj5bBYtz1Pl/AQkERhS1BStavQkAJvkJSTJVClWzowodrC0KyC9vBb7iQwTX9lkFziz/BT9z7" +
    "wcouoUE/Ic/ADy+GQaGEAkQ367LDrmQsQ7/7w0OmvLJCawRawefyJMMCAp7DIeglRGrZm8PD8rND9HxKwsWzvEMAAAAAAAAAADLKH0Iav2FCRzq5" +
    "QintNkKaKlpCPK5iQnEhkEKPsQk+Q9BIPjsUlD73SoQ+55yXPgACrj5ovJs+htKaQG9q40BCIkFBMcQ7QGOG/kAefP5A9LWnQkvnrELWQ4NCkCGz" +
    "QuGdp0FKDpZBW3mJQfQLa0Gyp2ZBVDigQfQBmEHrBQ1BFXV8QfOxoUND7JFD4AUTQzSXkUMLVsNCNgkJQ9aFF0NHg4pDDhK3Q5azg0Nck3FDBo7L" +
    "QgAXiUM=",
};
