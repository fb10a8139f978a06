/* What a web page calls of cart_pole.c. */
#include "cart_pole.h"

static double state[4];

double *plant_state(void);
void plant_move(double force, double seconds);

double *plant_state(void)
{
    return state;
}

void plant_move(double force, double seconds)
{
    cart_pole_move(state, force, seconds);
}
