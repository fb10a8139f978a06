/* What a target counts. */
#ifndef TARGET_H
#define TARGET_H

#include <stdint.h>

/* A clock's present time, and how many ticks have passed since an earlier one. */
uint32_t ticks(void);
uint32_t since(uint32_t begin);

#endif
