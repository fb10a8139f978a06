/* Plays an exported policy: for each of COUNT environments it reads a line of what is seen, and writes a line with the
   action, while a line with a 1 comes before all of them.  At the end it writes ticks of all steps, and how many. */
#include <stdint.h>
#include <stdio.h>

#ifdef FIXED
#define POLICY_REAL /* conversions from and to double, please */
#endif
#include "policy.h"

/* What the policy reads and writes. */
#ifdef FIXED
typedef int32_t number;
#define OF_X policy_x_from_real
#define TO_Y policy_y_to_real
#else
typedef float number;
#define OF_X (number)
#define TO_Y (double)
#endif

#ifdef EMULATED
#define CLOCK (*(volatile uint32_t *)0xE000E018) /* counts down, 24 bits */
#else
#define CLOCK 0u
#endif

static policy_state states[COUNT];

/* One step from what is seen, with its ticks. */
static uint32_t step(policy_state *state, const float seen[POLICY_INPUTS], number y[POLICY_OUTPUTS])
{
    number x[POLICY_INPUTS];
    for (int i = 0; i < POLICY_INPUTS; i++) {
        x[i] = OF_X(seen[i]);
    }
    const uint32_t begin = CLOCK;
    policy_step(state, x, y);
    return (begin - CLOCK) & 0xFFFFFF;
}

static void write_action(const number y[POLICY_OUTPUTS])
{
#ifdef CHOICES /* the outputs say how good each is */
    int best = 0;
    for (int i = 1; i < POLICY_OUTPUTS; i++) {
        if (y[i] > y[best]) {
            best = i;
        }
    }
    printf("%d\n", FIRST + best);
#else
    for (int i = 0; i < POLICY_OUTPUTS; i++) {
        printf(i + 1 < POLICY_OUTPUTS ? "%.9g " : "%.9g\n", TO_Y(y[i]));
    }
#endif
}

int main(void)
{
    double ticks = 0;
    long steps = 0;
    int more = 0;
    for (int n = 0; n < COUNT; n++) {
        policy_reset(&states[n]);
    }
    while (scanf("%d", &more) == 1 && more) {
        for (int n = 0; n < COUNT; n++, steps++) {
            float seen[POLICY_INPUTS];
            number y[POLICY_OUTPUTS];
            for (int i = 0; i < POLICY_INPUTS; i++) {
                if (scanf("%f", &seen[i]) != 1) {
                    return 1;
                }
            }
            ticks += step(&states[n], seen, y);
            write_action(y);
        }
        fflush(stdout);
    }
    printf("%.0f %ld\n", ticks, steps);
    return 0;
}
