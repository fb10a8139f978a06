/* The loop of examples/pendulum.py closed in C: the exported network balances the pole from every start of a test.
   For each it prints the number of samples before the pole or the cart was lost, and the last state. */
#include <math.h>
#include <stdio.h>

#ifdef FIXED
#define PENDULUM_REAL /* conversions from and to double, please */
#endif
#include "cart_pole.h"
#include "pendulum.h"
#include "pendulum_numbers.h"
#include "pendulum_test.h"

/* What the network reads and writes. */
#ifdef FIXED
typedef int32_t number;
#define OF_X pendulum_x_from_real
#define OF_DT pendulum_dt_from_real
#define TO_Y pendulum_y_to_real
#else
typedef float number;
#define OF_X (number)
#define OF_DT (number)
#define TO_Y (double)
#endif

int main(void)
{
    for (int n = 0; n < STARTS; n++) {
        double state[4] = {starts[n][0], starts[n][1], starts[n][2], starts[n][3]}, tilt = 0;
        pendulum_state memory;
        int t = 0;
        pendulum_reset(&memory);
        for (; t < SAMPLES && fabs(state[0]) <= TRACK && fabs(state[2]) <= FALLEN; t++) {
            const number x[2] = {OF_X(state[0] / SCALE_PLACE), OF_X(state[2] / SCALE_ANGLE)};
            number y[1];
            pendulum_step(&memory, x, OF_DT(seconds[n][t] / MEAN), y);
            if (t >= SAMPLES / 2 && fabs(state[2]) > tilt) {
                tilt = fabs(state[2]);
            }
            if (t + 1 < SAMPLES) {
                const double wanted = TO_Y(y[0]);
                const double force = wanted > 1 ? 1 : wanted < -1 ? -1 : wanted;
                cart_pole_move(state, FORCE * force, seconds[n][t + 1]);
            }
        }
        printf("%d %.9g %.9g %.9g %.9g %.9g\n", t, tilt, state[0], state[1], state[2], state[3]);
    }
    return 0;
}
