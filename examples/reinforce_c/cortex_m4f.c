/* What a Cortex-M4F reads when it starts: its stack, and where to begin: with its float unit, and a clock that counts
   the processor's cycles down. Newlib's _start does the rest. */
#include <stdint.h>

extern char stack_top[];
void _start(void);

static void begin(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: both halves of the float unit */
    *(volatile uint32_t *)0xE000E014 = 0xFFFFFF;    /* SysTick: from here */
    *(volatile uint32_t *)0xE000E018 = 0;
    *(volatile uint32_t *)0xE000E010 = 5; /* on, at the processor's rate, without interrupts */
    _start();
}

static void stop(void)
{
    for (;;) {
    }
}

union entry {
    void *stack;
    void (*function)(void);
};

__attribute__((section(".vectors"), used)) const union entry vectors[16] = {
    {.stack = stack_top}, {.function = begin}, {.function = stop}, {.function = stop},
    {.function = stop},   {.function = stop},  {.function = stop},
};
