/* In ROM: starts the SDRAM, copies what follows the loader to main memory, and goes there. */
#include <generated/mem.h>
#include <generated/sdram_phy.h>
#include <stdint.h>

extern const uint32_t firmware_words, firmware[]; /* the linker's, behind the loader */

void isr(void) {}

int main(void) {
    volatile uint32_t *const to = (volatile uint32_t *)MAIN_RAM_BASE;
    init_sequence();
    sdram_dfii_control_write(DFII_CONTROL_SEL); /* commands are the controller's from now on */
    for (uint32_t i = 0; i < firmware_words; ++i) to[i] = firmware[i];
    ((void (*)(void))MAIN_RAM_BASE)();
    return 0;
}
