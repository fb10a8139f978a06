/* The start of a Cortex-M in QEMU: vectors, the float unit, bss, newlib's semihosting; and its clock. */
#include <stdint.h>
#include <stdlib.h>
#include "target.h"

extern uint32_t stack_top, bss_start, bss_end;
extern void initialise_monitor_handles(void);
extern int main(void);

#define CPACR (*(volatile uint32_t *)0xE000ED88)
#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)

void start(void)
{
    CPACR |= 0xFu << 20;
    for (uint32_t *word = &bss_start; word < &bss_end; word++) {
        *word = 0;
    }
    SYST_RVR = 0xFFFFFF;
    SYST_CVR = 0;
    SYST_CSR = 5; /* the processor's clock, no interrupt */
    initialise_monitor_handles();
    exit(main());
}

static void fault(void)
{
    exit(2);
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)&stack_top, (uintptr_t)&start, (uintptr_t)&fault, (uintptr_t)&fault,
    (uintptr_t)&fault, (uintptr_t)&fault, (uintptr_t)&fault,
};

uint32_t ticks(void)
{
    return 0xFFFFFF - SYST_CVR;
}

uint32_t since(uint32_t begin)
{
    return (ticks() - begin) & 0xFFFFFF; /* all bits of the clock */
}
