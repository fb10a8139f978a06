// Written by docs/scripts/live_networks.py.
"use strict";
const numbers = {
  "cart_pole": {
    "CART": 1.0,
    "POLE": 0.1,
    "HALF": 0.5,
    "GRAVITY": 9.81,
    "FORCE": 10.0,
    "TRACK": 2.4,
    "SUBSTEPS": 4,
    "MEAN": 0.02,
    "FALLEN": 0.6108652381980153,
    "SCALE_PLACE": 1.0,
    "SCALE_ANGLE": 0.2,
    "LEAST": 0.005,
    "MOST": 0.1
  },
  "spiral": {
    "TURN": 2.0,
    "GROWTH": 0.5,
    "UNIT": 0.5,
    "SHORTEST": 0.03,
    "LONGEST": 0.15
  },
  "kinds": [
    "motor",
    "command",
    "command",
    "command",
    "command",
    "command",
    "command",
    "command",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter",
    "inter"
  ]
};
