#include "cart_pole.h"

#include "pendulum_numbers.h"

/* Declared here, so that there may be no math.h: a page's JavaScript hands over its own. */
double sin(double);
double cos(double);

static void motion(const double state[4], double force, double change[4])
{
    const double total = CART + POLE, part = POLE * HALF / total;
    const double sine = sin(state[2]), cosine = cos(state[2]);
    const double push = force / total + part * state[3] * state[3] * sine;
    const double turn = (GRAVITY * sine - cosine * push) / (HALF * (4.0 / 3 - POLE * cosine * cosine / total));
    change[0] = state[1];
    change[1] = push - part * turn * cosine;
    change[2] = state[3];
    change[3] = turn;
}

/* to = state + h change */
static void step(const double state[4], double h, const double change[4], double to[4])
{
    for (int i = 0; i < 4; i++) {
        to[i] = state[i] + h * change[i];
    }
}

void cart_pole_move(double state[4], double force, double seconds)
{
    const double h = seconds / SUBSTEPS;
    for (int n = 0; n < SUBSTEPS; n++) {
        double k1[4], k2[4], k3[4], k4[4], at[4];
        motion(state, force, k1);
        step(state, h / 2, k1, at);
        motion(at, force, k2);
        step(state, h / 2, k2, at);
        motion(at, force, k3);
        step(state, h, k3, at);
        motion(at, force, k4);
        for (int i = 0; i < 4; i++) {
            state[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
        }
    }
}
