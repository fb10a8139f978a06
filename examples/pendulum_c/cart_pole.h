/* The cart and the pole of examples/cart_pole.py; pendulum_numbers.h, which Python writes, holds their sizes. */
#ifndef CART_POLE_H
#define CART_POLE_H

/* state: place, speed, angle from upright and its speed, in m, rad and s. */

/* The state after `seconds` under a constant force in N. */
void cart_pole_move(double state[4], double force, double seconds);

#endif
