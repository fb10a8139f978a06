/* What a Cortex-M3 reads when it starts: its stack, and where to begin. Newlib's _start does the rest. */
extern char stack_top[];
void _start(void);

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
    {.stack = stack_top}, {.function = _start}, {.function = stop}, {.function = stop},
    {.function = stop},   {.function = stop},   {.function = stop},
};
