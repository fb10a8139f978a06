/* The counter of a RISC-V in QEMU; picolibc starts it. */
#include "target.h"

uint32_t ticks(void)
{
    uint32_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count));
    return count;
}

uint32_t since(uint32_t begin)
{
    return ticks() - begin;
}
