/* Prints the ticks of 50 steps of the export `net`, and how many bytes of stack a step uses, whatever it calls; with
   LEARN, of learning 50 times. */
#define NET_REAL
#include <stdio.h>
#include "net.h"
#include "target.h"

#define STEPS 50
#define PAINTED 4096
#define PAINT 0xA5

#if defined(NET_FEATURES) /* its readout learns */
#define LEARNT &learnt,
static net_readout learnt;
#elif defined(NET_PARAMETERS) /* all of it learns */
#define LEARNT &learnt,
static net_network learnt;
#else
#define LEARNT
#endif
#if NET_TAKES_DT
#define STEP(dt) net_step(&state, LEARNT x, dt, y)
#else
#define STEP(dt) net_step(&state, LEARNT x, y)
#endif

#ifdef NET_X_PLACES /* fixed point */
typedef int32_t number;
#define X(v) net_x_from_real(v)
#else
typedef float number;
#define X(v) (v)
#endif
#ifdef NET_DT_PLACES
#define DT(v) net_dt_from_real(v)
#else
#define DT(v) (number)(v)
#endif

static net_state state;
static number x[NET_INPUTS], y[NET_OUTPUTS];
static int failed;
#ifdef LEARN
static number targets[2][NET_OUTPUTS];
static int turn;
#endif

/* Paints the stack below its own frame; what a call of the same depth uses is painted over. */
static __attribute__((noinline)) void paint(void)
{
    volatile uint8_t below[PAINTED];
    for (int i = 0; i < PAINTED; i++) {
        below[i] = PAINT;
    }
}

/* Bytes at the end of the painted ones that were painted over. */
static __attribute__((noinline)) int used(void)
{
    volatile uint8_t below[PAINTED];
    int i = 0;
    while (i < PAINTED && below[i] == PAINT) {
        i++;
    }
    return PAINTED - i;
}

static __attribute__((noinline)) void step(number dt)
{
#ifdef LEARN
    (void)dt;
    failed |= net_learn(&learnt, &state, targets[turn ^= 1]); /* so that no error becomes 0 */
#else
    STEP(dt);
#endif
}

static __attribute__((noinline)) void nothing(number dt)
{
    (void)dt;
}

int main(void)
{
    const number dt = DT(0.1);
    uint32_t begin, empty, count;
    int depth;
    net_reset(&state);
#if defined(NET_FEATURES) || defined(NET_PARAMETERS)
    net_deploy(&learnt);
#endif
    for (int i = 0; i < NET_INPUTS; i++) {
        x[i] = X((float)(i % 5) * 0.25f - 0.5f);
    }
#ifdef LEARN
    STEP(DT(0.5));
    for (int i = 0; i < NET_OUTPUTS; i++) {
        targets[0][i] = y[i] / 2;
        targets[1][i] = -y[i] / 3;
    }
#endif
    paint();
    step(DT(0.5));
    depth = used();
    begin = ticks();
    for (volatile int i = 0; i < STEPS; i++) {
        nothing(dt);
    }
    empty = since(begin);
    begin = ticks();
    for (volatile int i = 0; i < STEPS; i++) {
        step(dt);
    }
    count = since(begin);
    printf("%lu %d\n", (unsigned long)(count - empty), depth);
    return failed;
}
