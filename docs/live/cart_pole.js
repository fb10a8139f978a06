/* The cart and the pole of examples/cart_pole.py: examples/pendulum_c/cart_pole.c as WebAssembly, written by
   docs/scripts/live_networks.py. */
"use strict";
globalThis.cart_pole = {
  async create() {
    const bytes = Uint8Array.from(atob(this.code), (letter) => letter.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes, { env: { sin: Math.sin, cos: Math.cos } });
    const { memory, plant_state, plant_move } = instance.exports;
    return { state: new Float64Array(memory.buffer, plant_state(), 4), move: plant_move };
  },
  code:
    "AGFzbQEAAAABFQRgAXwBfGAAAX9gAnx8AGADf3x8AAIVAgNlbnYDc2luAAADZW52A2NvcwAAAwQDAQIDBQMBAAIGCAF/AUGgiAQLByUDBm1lbW9y" +
    "eQIAC3BsYW50X3N0YXRlAAIKcGxhbnRfbW92ZQADCtYGAwgAQYCIgIAACxIAQYCIgIAAIAAgARCEgICAAAu3BgMEfAF/D3wgAUSamZmZmZnxP6Mh" +
    "AyACRAAAAAAAANA/oiIERAAAAAAAABhAoyEFIAREAAAAAAAA4D+iIQIgACsDECEGQQQhBwNAIAYQgICAgAAhCCAAKwMQEIGAgIAAIQEgACsDCCEJ" +
    "IAIgACsDGCIKoiAAKwMQoCILEICAgIAAIQYgCxCBgICAACELIAArAxghDCAAKwMIIQ0gAiAKIAIgCEQfhetRuJ4jQKIgASAIIAogCkRGF1100UWn" +
    "P6KioiADoCIOoqFEVVVVVVVV9T8gASABRJqZmZmZmbk/oqJEmpmZmZmZ8T+joUQAAAAAAADgP6KjIg+ioCIIoiAAKwMQoCIQEICAgIAAIREgEBCB" +
    "gICAACEQIAArAxghEiAAKwMIIRMgBCAMIAIgBkQfhetRuJ4jQKIgCyAGIAggCERGF1100UWnP6KioiADoCIUoqFEVVVVVVVV9T8gCyALRJqZmZmZ" +
    "mbk/oqJEmpmZmZmZ8T+joUQAAAAAAADgP6KjIhWioCIGoiAAKwMQoCIMEICAgIAAIRYgDBCBgICAACEMIAAgBSAGIAagIAogCCAIoKCgIBIgBCAR" +
    "RB+F61G4niNAoiAQIBEgBiAGREYXXXTRRac/oqKiIAOgIhGioURVVVVVVVX1PyAQIBBEmpmZmZmZuT+iokSamZmZmZnxP6OhRAAAAAAAAOA/oqMi" +
    "CqKgIgigoiAAKwMQoCIGOQMQIAAgBSANIAIgCyAVREYXXXTRRae/oqIgFKAiC6KgIg0gDaAgCSAJIAIgASAPREYXXXTRRae/oqIgDqAiDaKgIgEg" +
    "AaCgoCATIAQgECAKREYXXXTRRae/oqIgEaAiAaKgoKIgACsDAKA5AwAgACAFIAogCqAgFSAVoCAPoKAgFkQfhetRuJ4jQKIgDCAWIAggCERGF110" +
    "0UWnP6KioiADoCIKoqFEVVVVVVVV9T8gDCAMRJqZmZmZmbk/oqJEmpmZmZmZ8T+joUQAAAAAAADgP6KjIgigoiAAKwMYoDkDGCAAIAUgASABoCAL" +
    "IAugIA2goCAMIAhERhdddNFFp7+ioiAKoKCiIAArAwigOQMIIAdBf2oiBw0ACws=",
};
