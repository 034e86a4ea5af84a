/* What the firmware has of the SoC: a serial line for printf, a clock, and the co-processor's interrupt. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#include "hdp.h"

/* Clock cycles since the reset. */
uint64_t board_cycles(void);

/* Open the co-processor, and let it interrupt the processor. */
hdp_error board_open(hdp_device *device);

/* Sleep until the co-processor's interrupt; how the job ended. Its results are then in memory and not in the cache. */
hdp_error board_wait(hdp_device *device);

/* Say that this is all: a simulation ends. Does not return. */
void board_end(void) __attribute__((noreturn));

#endif
