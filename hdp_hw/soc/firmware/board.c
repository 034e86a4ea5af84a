#include "board.h"

#include <generated/csr.h>
#include <generated/mem.h>
#include <generated/soc.h>
#include <irq.h>
#include <stdio.h>
#include <string.h>
#include <system.h>

#define END_OF_TRANSMISSION 4

static int put(char c, FILE *file) {
    (void)file;
    while (uart_txfull_read());
    uart_rxtx_write((uint8_t)c);
    return c;
}

static FILE serial = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &serial;

/* By words where it can: that of Debian's picolibc goes byte by byte. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *restrict to, const void *restrict from,
                                                                           size_t n) {
    typedef uint32_t __attribute__((may_alias)) word;
    uint8_t *bytes = to;
    const uint8_t *of = from;
    if (!(((uintptr_t)bytes | (uintptr_t)of) % sizeof(word)))
        for (; n >= sizeof(word); n -= sizeof(word), bytes += sizeof(word), of += sizeof(word))
            *(word *)bytes = *(const word *)of;
    while (n--) *bytes++ = *of++;
    return to;
}

uint64_t board_cycles(void) {
    timer0_uptime_latch_write(1);
    return timer0_uptime_cycles_read();
}

void board_end(void) {
    put(END_OF_TRANSMISSION, stdout);
    for (;;);
}

#ifdef HDP_BASE

static hdp_device *volatile waiting; /* for its interrupt; NULL when that has come */
static hdp_error ended;

/* Called by LiteX's trap_entry. hdp_wait acknowledges, so that the interrupt falls. */
void isr(void) {
    if (!(irq_pending() & irq_getmask() & 1u << HDP_INTERRUPT) || !waiting) return;
    ended = hdp_wait(waiting, 1);
    waiting = NULL;
}

hdp_error board_open(hdp_device *device) {
    const hdp_error error = hdp_open(device, HDP_BASE);
    if (error) return error;
    hdp_enable_interrupt(device, true);
    hdp_ev_enable_write(1);
    irq_setmask(1u << HDP_INTERRUPT);
    return HDP_OK;
}

hdp_error board_wait(hdp_device *device) {
    waiting = device;
    irq_setie(1);
    while (waiting); /* this VexRiscv takes wfi for nothing */
    irq_setie(0);
    flush_cpu_dcache();
    return ended;
}

#else

void isr(void) {}

hdp_error board_open(hdp_device *device) {
    (void)device;
    return HDP_NO_CORE;
}

hdp_error board_wait(hdp_device *device) {
    (void)device;
    return HDP_NO_ANSWER;
}

#endif
